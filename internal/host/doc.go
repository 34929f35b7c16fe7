// Package host finds a host's RDMA devices and follows their comings and
// goings. It puts together what the kernel rooms read: nldev where the kernel
// has it, sysfs for what nldev does not tell, sysfs alone in a copied tree or on
// an old kernel.
//
// # Which source is believed
//
//   - The list of devices, index, name, GUIDs, protocol, state, LIDs, netdev:
//     nldev. A device that leaves is off nldev's list at once, while its name
//     may stay in sysfs as long as somebody holds it.
//   - Rate, link layer, PCI address, NUMA node, driver, descriptions: sysfs.
//   - Path MTU: no interface tells it but verbs, whose character device ibctl
//     does not open: an open uverbs makes its owner a holder of the device. It
//     is derived from the netdev's MTU by the rule of the driver; see mtu.go.
//   - Character devices, and the device behind a netdev that is no port's own:
//     rdmamap; see rdmamap.go for what it is not asked.
//
// # Events
//
// [Follow] treats events as hints. It lists the devices again and acts on the
// difference, so a lost, doubled or forged event costs a listing and no more.
package host
