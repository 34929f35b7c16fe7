// Package core is the registry of IB clients and devices: which exist, which
// client drives which device, and the order in which they come and go.
//
// It is the user-space counterpart of the kernel's
// drivers/infiniband/core/device.c and keeps the promise that file makes: a
// client drives a device between Add and Remove, Remove is synchronous, and a
// device is unregistered only after every client's Remove has completed. It
// does no I/O, starts nothing that outlives a call, and knows no plugins.
//
// # Glossary
//
//   - device: one incarnation of an IB device, known by its [ID]. A name is
//     only a label; the kernel gives it to the next device at once.
//   - client: code that drives devices; see [Client].
//   - attachment: one client on one device, from the start of Add to the end of
//     Remove.
//   - registered: visible, and open to clients and leases.
//   - leaving: no longer registered, not yet gone. Its name stays taken.
//   - drained: registered and out of service: no clients, no leases. It stays so
//     until it is undrained, or leaves.
//   - lease: a short hold on a device by somebody who is no client.
//   - turn: the right to call clients for one device, and to add to or take from
//     its attachments. A device has one.
//
// # Order
//
// Clients are added to a device in the order in which they were registered, and
// removed in the reverse order, one at a time, whoever asked. Different devices
// do not wait for each other. There is a single place that decides what a
// device needs next (the method next, in settle.go); whoever has changed
// something takes the device's turn and does what is due, which may be work that
// another caller is waiting for. So nothing depends on which of two racing
// callers comes first.
//
// # Locks
//
// Two mutexes, as in the kernel since the deadlock of 2015 (linux-rdma, "[PATCH
// v3 for-next 02/33] IB/core: Add kref to IB devices"):
//
//   - clientsMu guards the client list and every attachment,
//   - devicesMu guards the device list and every device's facts.
//
// Neither is held while the other is taken, and neither is held while a client
// is called, so there is no lock order to get wrong, and Add and Remove may use
// every reading method. The event log has a mutex of its own, innermost: it may
// be taken under either of the two, and nothing is taken under it.
//
// A turn is not a lock that a reader could ever meet: only registering,
// unregistering and telling clients of a change take it, and those are refused
// from within a client's callback ([ErrInCallback]).
//
// # Waiting
//
// What a device or client waits for on its way out is an active count with a
// completion (gate), never a reference count that frees. Every caller of an
// unregister method waits for the same completion; none returns before the end.
package core
