package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Net is a topology that is up. It is for one goroutine.
type Net struct {
	before inventory            // what there was before
	spaces map[string]namespace // by name; "" is the test's own
	where  map[string]string    // the namespace's name, by the name of a link
}

// namespace is a network namespace and a netlink socket in it.
type namespace struct {
	ns netns.NsHandle
	nl *netlink.Handle
}

func newNet() (*Net, error) {
	before, err := takeInventory()
	if err != nil {
		return nil, err
	}
	own, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("own namespace: %w", err)
	}
	n := &Net{before: before, spaces: map[string]namespace{}, where: map[string]string{}}
	return n, n.addNamespace("", own)
}

func (n *Net) addNamespace(name string, ns netns.NsHandle) error {
	nl, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE, unix.NETLINK_RDMA)
	if err != nil {
		return errors.Join(fmt.Errorf("netlink socket: %w", err), ns.Close())
	}
	n.spaces[name] = namespace{ns, nl}
	return nil
}

func (n *Net) build(tp Topology) error {
	if tp.Exclusive {
		if err := setRDMANetns("exclusive"); err != nil {
			return err
		}
	}
	for _, name := range tp.Namespaces {
		if err := n.makeNamespace(name); err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
	}
	for _, l := range tp.Links {
		if err := n.makeLink(l); err != nil {
			return fmt.Errorf("link %s (%v): %w", l.Name, l.Kind, err)
		}
	}
	for _, h := range tp.HCAs {
		if err := n.makeHCA(h); err != nil {
			return fmt.Errorf("HCA %s on %s: %w", h.Name, h.Netdev, err)
		}
	}
	return nil
}

// makeNamespace makes a namespace as "ip netns add" does, with its loopback up and, as in the whole lab, without duplicate address
// detection, so that an address is usable as soon as it is there.
func (n *Net) makeNamespace(name string) error {
	if _, twice := n.spaces[name]; twice {
		return os.ErrExist
	}
	var ns netns.NsHandle
	err := inThread(func() (err error) {
		own, err := netns.Get()
		if err != nil {
			return err
		}
		defer own.Close()
		if ns, err = netns.NewNamed(name); err != nil {
			return err
		}
		return errors.Join(disableDAD(), netns.Set(own))
	})
	if err != nil {
		return err
	}
	if err := n.addNamespace(name, ns); err != nil {
		return err
	}
	nl := n.spaces[name].nl
	lo, err := nl.LinkByName("lo")
	if err != nil {
		return err
	}
	return nl.LinkSetUp(lo)
}

// In runs f with the calling thread in the namespace of that name. Goroutines that f starts, and the programs they run, are
// elsewhere; programs that f itself runs are inside.
func (n *Net) In(name string, f func() error) error {
	space, ok := n.spaces[name]
	if !ok {
		return fmt.Errorf("lab: no namespace %q in the topology", name)
	}
	return inThread(func() error {
		if err := netns.Set(space.ns); err != nil {
			return fmt.Errorf("lab: enter namespace %q: %w", name, err)
		}
		return errors.Join(f(), netns.Set(n.spaces[""].ns))
	})
}

// inThread runs f on a thread of its own, which is thrown away if f leaves it in the wrong namespace.
func inThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := f()
		if err == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// disableDAD works on the namespace of the calling thread: /proc/sys/net shows each thread its own.
func disableDAD() error {
	for _, conf := range []string{"all", "default"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+conf+"/accept_dad", []byte("0"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// names returns the names of the topology's namespaces, but not the test's own.
func (n *Net) names() []string {
	var out []string
	for name := range n.spaces {
		if name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
