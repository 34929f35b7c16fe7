// Package counters puts the counters of a device together, which the kernel
// shows in three places: those of the port's performance management agent in
// sysfs, the driver's own in sysfs, and the driver's own over netlink, where
// optional ones and those of single queue pairs are as well.
//
// What each of them lacks the others have: mlx5's netlink counters hold no
// octets, soft RoCE has no agent, a captured tree has no netlink, and a driver
// such as siw refuses the question over netlink. One counter that can't be read
// is a warning and hides no other.
//
// Values are in units that need no manual: octets are octets, although the agent
// counts data in words of four (IBTA 16.1.3.5).
package counters
