// Package rtlink hears from rtnetlink (rtnetlink(7), net/core/rtnetlink.c) that a
// network interface has come, changed or gone. It says which, and not what: whoever
// hears of it looks for themselves.
//
// The kernel sends a message for a change of flags, state, name, MTU, master and
// the like, to whoever has joined RTNLGRP_LINK in that network namespace; it takes
// no privilege.
//
// # Concurrency
//
// One goroutine may receive from a [Listener], any may close it.
package rtlink
