// Package live reads the state of netdevs from the kernel, by rtnetlink, in all
// network namespaces that the process may enter.
//
// # Which namespaces there are
//
// The kernel has no list of them. They are found where something keeps them
// alive: as files of nsfs that are mounted (ip-netns(8), container runtimes) and
// as those of processes. That of a single thread, or one that only an open
// descriptor or a socket holds, is found by neither. A process in a PID namespace
// of its own sees the others by the /proc of its mount namespace.
//
// Entering a namespace takes CAP_SYS_ADMIN, and so does looking where another
// user's process is: without it, a reader sees its own namespace alone and says
// so ([netstate.Snapshot.Partial]).
//
// No socket or descriptor outlives a call: it would keep a namespace alive that
// everybody else is done with, and all netdevs in it.
package live
