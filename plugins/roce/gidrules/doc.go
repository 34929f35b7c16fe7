// Package gidrules knows by which rules the kernel fills the GID tables of RoCE
// ports (drivers/infiniband/core/roce_gid_mgmt.c and cache.c), and judges a table
// by them. It does no I/O: netdevs come as a [netstate.Snapshot], tables as what
// sysfs shows.
//
// # The rules
//
// A port has one netdev R, as a rule that of its hardware. up(R) are the netdevs
// that lie on R, directly or not; real(N) is the device beneath all VLANs of N,
// or N itself.
//
//   - A default GID, fe80::/64 with the EUI-64 of a MAC, comes from R unless R is
//     the slave of a bond, and from every bond in up(R). There is one slot for each
//     type of GID, so the first of them to come has it.
//   - A GID for each address comes from N if real(N) is R, or if N is in up(R) and
//     R is not an inactive slave of real(N): that is, real(N) is no bond, or is one
//     without an active slave, or R is its active slave.
//   - An IPv4 address is entered by the other end's where there is one; an IPv6
//     address by one's own.
//   - What is entered is entered once for each type that the port has.
//
// Whether a link is up does not matter, nor does the namespace of N.
//
// # What the kernel makes of them
//
// It follows events, and filters them by what is true when their turn comes. Some
// sequences leave GIDs behind, or lose some: see [Cause]. A device that is made
// anew has what the rules say, and nothing else.
package gidrules
