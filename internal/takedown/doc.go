// Package takedown takes a device out of service, and does with it what nobody
// may be using it for: removing it, or moving it to another network namespace.
//
// # Glossary
//
//   - [Job]: one such piece of work.
//   - in the way: said of a holder that a removal would wait for, or that would
//     lose the device in mid-use.
//   - to evict: to end the process of a holder that is in the way.
//   - [Service]: where ibctl's own clients are on devices, and can be taken off:
//     ibctl serve, or nothing where there is none.
//   - [Operation]: what the kernel is asked to do in the end.
//   - stuck: said of an operation that the kernel does not finish in time.
//
// # The order
//
// Look who holds the device; if somebody is in the way, stop, with nothing
// changed, or evict them. Take the clients off, the last one first. Look again,
// until nobody is found twice in a row: whoever comes now is named, and the
// clients are put back. Then, and not before, the kernel is asked.
//
// # The kernel cannot be called off
//
// While it waits for a holder, no signal reaches whoever asked. So an operation
// runs in a process of its own, which is left to itself when it is stuck, and of
// which [StuckError] tells where in the kernel it is.
//
// # Concurrency
//
// A Job is for one goroutine. Every goroutine that it starts has ended when it
// returns.
package takedown
