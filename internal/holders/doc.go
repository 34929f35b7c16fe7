// Package holders finds out who keeps an RDMA device in use, and what a removal
// of the device would do to each of them.
//
// # Glossary
//
//   - holder: a process, a part of the kernel, a module, a sub-device or a client
//     of ibctl that uses a device.
//   - [Effect]: what becomes of a holder when the device is unregistered.
//   - to wait: the kernel's removal does not return before the holder has let
//     go, and no signal ends it (ib_uverbs_remove_one).
//   - [Facts]: all that was read about one device and its users.
//   - to disassociate: to take an open device away from a process. Drivers that
//     can let the removal go on; for the others the kernel waits.
//
// # Two halves
//
// [Reader] reads, [Assess] judges. The second is a function of [Facts] alone: it
// reads nothing, so that every judgement can be tested, and a report can be made
// again from what was read.
//
// # Which source tells what
//
//   - /proc/PID/fd: who has a character device open, whoever opened it.
//   - nldev's lists of objects: which task *made* an object. It is not told who
//     inherited it; a task that has ended, or is outside this PID namespace, is
//     not named.
//   - kcmp(2): which descriptors are one open file, and so who inherited whose.
//   - the driver's module: whether its contexts can be taken away, and how many
//     files are open that nobody's descriptors account for.
//
// What could not be read is never taken for nothing: [Report.Unseen] says it,
// and where that leaves open whether the removal would wait, it counts as
// waiting.
package holders
