package gidrules

import (
	"fmt"
	"strings"
)

// ip begins an ip(8) command in the namespace of n.
func (n *Node) ip() string {
	switch {
	case n.Netns.Name == "":
		return "ip"
	case n.Netns.Path == "/run/netns/"+n.Netns.Name, n.Netns.Path == "/var/run/netns/"+n.Netns.Name:
		return "ip -n " + n.Netns.Name
	}
	return fmt.Sprintf("nsenter --net=%s ip", n.Netns.Path)
}

// refresh sets the MAC that a netdev has. The kernel takes it for a change all
// the same, deletes the netdev's GIDs and enters them anew. Nothing else happens.
func (n *Node) refresh() []string {
	mac, ok := n.MAC.Get()
	if !ok {
		return nil
	}
	return []string{fmt.Sprintf("%s link set dev %s address %v", n.ip(), n.Name, mac)}
}

// again takes the port's side of a way out of its master and puts it in again,
// which deletes and enters the GIDs of all that lies above.
func (n *Node) again() []string {
	m := n.master()
	if m == nil {
		return nil
	}
	return []string{
		fmt.Sprintf("%s link set dev %s nomaster", n.ip(), n.Name),
		fmt.Sprintf("%s link set dev %s master %s", n.ip(), n.Name, m.Name),
	}
}

// mendMissing returns what brings a GID of n back.
func (j *judged) mendMissing(c Cause, n *Node) []string {
	switch c {
	case Full:
		return nil // addresses have to go first, and which is for a person to say
	case NotFollowed:
		return j.Rebuild
	}
	return n.refresh()
}

// mendStale returns what takes a GID of n away.
func (j *judged) mendStale(c Cause, n *Node) []string {
	r := j.expect.Netdev
	switch {
	case c == NetdevGone, c == NotUpper, c == NotFollowed, n == nil:
		return j.Rebuild
	case n == r || n.real() == r || !r.inactive(n.real()) && j.expect.carries(n):
		return n.refresh()
	case r.master() != nil && r.master().IsBond():
		return r.again()
	}
	return j.Rebuild
}

// Rebuild returns the commands that make a device anew: a soft RoCE device on
// its netdev; that of a PCI function by its driver. They end all that uses it.
func Rebuild(device, driver, pci, netdev string) []string {
	switch {
	case strings.Contains(driver, "rxe") || strings.HasPrefix(device, "rxe") && pci == "":
		return []string{fmt.Sprintf("rdma link delete %s", device), fmt.Sprintf("rdma link add %s type rxe netdev %s", device, netdev)}
	case pci != "":
		return []string{fmt.Sprintf("devlink dev reload pci/%s", pci)}
	}
	return nil
}
