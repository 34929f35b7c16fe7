package lab

import (
	"fmt"
	"net"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// makeLink makes a link, puts it into its namespace, and configures it there.
func (n *Net) makeLink(l Link) error {
	home, ok := n.spaces[l.Netns]
	if !ok {
		return fmt.Errorf("no namespace %s in the topology", l.Netns)
	}
	if peer, ok := l.Kind.(PeerOf); ok {
		if err := n.movePeer(l, peer.Veth, home); err != nil {
			return err
		}
	} else if err := n.addLink(l, home); err != nil {
		return err
	}
	n.where[l.Name] = l.Netns
	link, err := home.nl.LinkByName(l.Name)
	if err != nil {
		return fmt.Errorf("find it in its namespace: %w", err)
	}
	return n.configure(l, link, home.nl)
}

func (n *Net) addLink(l Link, home namespace) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = l.Name, l.MTU
	if l.MAC != "" {
		mac, err := net.ParseMAC(l.MAC)
		if err != nil {
			return err
		}
		attrs.HardwareAddr = mac
	}
	nl := home.nl
	if name := l.Kind.parent(); name != "" {
		// A netdev on top of another is made where the other is, and may be born into a different namespace.
		space, parent, err := n.find(name)
		if err != nil {
			return fmt.Errorf("parent %s: %w", name, err)
		}
		attrs.ParentIndex = parent.Attrs().Index
		attrs.Namespace = netlink.NsFd(int(home.ns))
		nl = space.nl
	}
	link, err := l.Kind.make(attrs)
	if err != nil {
		return err
	}
	if v, ok := l.Kind.(Veth); ok {
		n.where[v.Peer] = l.Netns
	}
	return nl.LinkAdd(link)
}

// movePeer brings the other end of a pair, which lies where its Veth was made, into the namespace of l.
func (n *Net) movePeer(l Link, veth string, home namespace) error {
	if _, _, err := n.find(veth); err != nil {
		return fmt.Errorf("veth %s: %w", veth, err)
	}
	space, peer, err := n.find(l.Name)
	if err != nil {
		return err
	}
	if err := space.nl.LinkSetNsFd(peer, int(home.ns)); err != nil {
		return fmt.Errorf("move it to namespace %q: %w", l.Netns, err)
	}
	return nil
}

// find returns a link of the topology, or one that was there before, and the namespace it is in.
func (n *Net) find(name string) (namespace, netlink.Link, error) {
	space := n.spaces[n.where[name]]
	link, err := space.nl.LinkByName(name)
	return space, link, err
}

func (n *Net) configure(l Link, link netlink.Link, nl *netlink.Handle) error {
	if err := setMACAndMTU(l, link, nl); err != nil {
		return err
	}
	if l.Master != "" {
		_, master, err := n.find(l.Master)
		if err != nil {
			return fmt.Errorf("master %s: %w", l.Master, err)
		}
		if err := nl.LinkSetMaster(link, master); err != nil {
			return fmt.Errorf("join %s: %w", l.Master, err)
		}
	}
	if !l.Down {
		if err := nl.LinkSetUp(link); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	for _, text := range l.Addrs {
		if err := addAddress(nl, link, text); err != nil {
			return fmt.Errorf("address %s: %w", text, err)
		}
	}
	return nil
}

// setMACAndMTU is for the peer of a Veth, which was made without a say in them.
func setMACAndMTU(l Link, link netlink.Link, nl *netlink.Handle) error {
	if _, ok := l.Kind.(PeerOf); !ok {
		return nil
	}
	if l.MAC != "" {
		mac, err := net.ParseMAC(l.MAC)
		if err != nil {
			return err
		}
		if err := nl.LinkSetHardwareAddr(link, mac); err != nil {
			return fmt.Errorf("set MAC %s: %w", l.MAC, err)
		}
	}
	if l.MTU != 0 {
		if err := nl.LinkSetMTU(link, l.MTU); err != nil {
			return fmt.Errorf("set MTU %d: %w", l.MTU, err)
		}
	}
	return nil
}

func addAddress(nl *netlink.Handle, link netlink.Link, text string) error {
	addr, err := parseAddress(text)
	if err != nil {
		return err
	}
	return nl.AddrAdd(link, addr)
}

// parseAddress reads an address as ip-address(8) takes it: ADDRESS/PREFIX, or ADDRESS peer ADDRESS/PREFIX.
func parseAddress(text string) (*netlink.Addr, error) {
	local, peer, hasPeer := strings.Cut(text, " peer ")
	if !hasPeer {
		addr, err := netlink.ParseAddr(local)
		return addr, err
	}
	ip := net.ParseIP(local)
	if ip == nil {
		return nil, fmt.Errorf("%q is no address", local)
	}
	remote, err := netlink.ParseIPNet(peer)
	if err != nil {
		return nil, err
	}
	bits := 128
	if ip.To4() != nil {
		bits = 32
	}
	return &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, bits)}, Peer: remote, Scope: unix.RT_SCOPE_UNIVERSE}, nil
}
