// Package netstate says what network interfaces a host has, in all of its
// network namespaces: what lies on what, which slave of a bond is active, MACs
// and addresses. It holds values alone; package live reads them from the kernel,
// and a test or a recorded file may make them up.
//
// # Words
//
// The *upper* of a netdev lies on it: a VLAN on its real device, a bond on its
// slaves, a bridge on its ports. The *lower* is the other way round. A *master*
// is an upper that a netdev was enslaved to, so a bond, a bridge, a team or a
// VRF; a netdev has one at most. Everything else that lies on a netdev was made
// on it, and names it as its *lower*, which may be in another namespace.
package netstate
