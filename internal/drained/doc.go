// Package drained remembers which devices are drained, for longer than a process
// lives: ibctl serve leaves them alone when it starts anew, and so do verbs that
// run without it.
//
// # What is remembered, and for how long
//
// A device is known by the kernel's index, which stays the same over a rename
// and is not used again as long as the RDMA core is loaded. So an entry holds
// for one device from its draining to its undraining or its end: one that is
// made anew, under whatever name, is another device, and after a reboot or a
// reload of ib_core all of them are.
//
// # Who may do what
//
// The directory is root's and everybody may read it. A [Lock] keeps two ibctl
// from changing one device at the same time; it ends with the process, however
// that ends. All methods may be called by any number of goroutines at once.
package drained
