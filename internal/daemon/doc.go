// Package daemon is ibctl serve: one registry that lives long, follows the
// kernel's devices, keeps the configured clients on them, and answers on a
// socket.
//
// # Glossary
//
//   - loaded: said of a client that the daemon is to keep in the registry. That
//     its process may just have crashed does not make it less so.
//   - passed on: said of a call that is not for the daemon but for a client; it
//     goes to the client's process and back unread.
//   - hasten: to wait for nobody any longer, and kill instead.
//
// # The way in and out
//
// [Run] takes its name in the network namespace, which nobody can take away, and
// hold of the run directory, which also tells it that what it finds there is left
// over; listens; loads the clients in their order; follows the host; and then says
// that it is ready. On its way out it stops following, takes the clients off all
// devices, the last one loaded first, unregisters the devices, and lets those who
// watch read to the end.
//
// # Who may do what
//
// The kernel says who is at the other end of a connection, and each method says
// whether it changes anything (api.ReadOnly). Reading is for root and the
// configured group, everything else for root. What members of the group can use
// up is bounded: connections, calls and the size of requests; and no slow reader
// keeps a client from letting go of a device.
//
// # Concurrency
//
// Every goroutine that Run starts has ended when it returns.
package daemon
