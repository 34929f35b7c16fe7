// Package uevent hears the kernel's device events (NETLINK_KOBJECT_UEVENT,
// lib/kobject_uevent.c): the ones that udev acts on, straight from the kernel,
// on every kernel and without privileges.
//
// An event is a hint that something changed, at a time when it may have changed
// again already. Whoever needs the truth asks for it.
package uevent
