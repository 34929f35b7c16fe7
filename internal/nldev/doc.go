// Package nldev speaks RDMA_NLDEV, the kernel's netlink interface to RDMA
// devices (NETLINK_RDMA, include/uapi/rdma/rdma_netlink.h, kernel side in
// drivers/infiniband/core/nldev.c). The socket comes from vishvananda/netlink's
// nl package; the codec is this package's own and checks every length.
//
// A [Conn] asks, a [Monitor] listens. What a kernel does not tell is unknown in
// the answer; a feature the kernel lacks altogether is an [UnsupportedError],
// which carries the first kernel version that has it.
//
// # What the kernel's answers do not say
//
//   - Unknown operations and unknown device indices both fail with EINVAL. This
//     package turns EINVAL into [ErrNoDevice] only for operations that every
//     nldev kernel has.
//   - A port whose driver fails the query ends a PORT_GET dump without an error,
//     so the dump may hold fewer ports than [Device.PortCount].
//   - A socket sees the devices of the network namespace in which it was opened.
package nldev
