// Package rtevent hears rtnetlink's events about network interfaces and their
// addresses (RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR), in Go alone.
//
// Like all multicast, they are hints: the kernel drops what does not fit into the
// socket's buffer, and says so with ENOBUFS ([ErrLost]). Whoever wants to know what
// is true asks.
//
// The events are those of the namespace of the thread that listens and, where that is
// wanted and it has CAP_NET_BROADCAST, of all namespaces that this one has a name for
// (NETLINK_LISTEN_ALL_NSID). Links of one's own namespace take no privilege.
package rtevent
