package e2e

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab"
)

// gidWorld is a random topology that changes at random. It remembers what it
// did, which is the history that an audit does not know.
type gidWorld struct {
	t       *testing.T
	rand    *rand.Rand
	spaces  map[string]*netlink.Handle // by namespace; "" is the test's own
	fds     map[string]netns.NsHandle
	where   map[string]string // namespace, by the name of a link
	links   []string          // in the order of their making
	kinds   map[string]string
	hcas    map[string]string // netdev, by the name of the device
	done    []gidOp
	counter int
}

// gidOp is a change, and whether the kernel took it.
type gidOp struct {
	what    string // one word: "failover"
	on, by  string
	refused error
}

func (o gidOp) String() string {
	text := o.what + " " + o.on
	if o.by != "" {
		text += " " + o.by
	}
	if o.refused != nil {
		text += " (refused: " + o.refused.Error() + ")"
	}
	return text
}

func newGIDWorld(t *testing.T, r *rand.Rand) (*gidWorld, *lab.Net) {
	t.Helper()
	n, err := lab.Topology{Namespaces: []string{"blue"}}.Build()
	if err != nil {
		t.Fatal(err)
	}
	w := &gidWorld{t: t, rand: r, spaces: map[string]*netlink.Handle{}, fds: map[string]netns.NsHandle{},
		where: map[string]string{}, kinds: map[string]string{}, hcas: map[string]string{}}
	w.open("", netns.Get)
	w.open("blue", func() (netns.NsHandle, error) { return netns.GetFromName("blue") })
	return w, n
}

func (w *gidWorld) open(name string, get func() (netns.NsHandle, error)) {
	fd, err := get()
	if err != nil {
		w.t.Fatal(err)
	}
	h, err := netlink.NewHandleAt(fd, 0, 20) // NETLINK_ROUTE, NETLINK_RDMA
	if err != nil {
		w.t.Fatal(err)
	}
	w.spaces[name], w.fds[name] = h, fd
}

func (w *gidWorld) close() {
	for name, h := range w.spaces {
		h.Close()
		fd := w.fds[name]
		fd.Close() //nolint:errcheck // nothing was written
	}
}

// do notes a change.
func (w *gidWorld) do(what, on, by string, f func() error) error {
	err := f()
	w.done = append(w.done, gidOp{what, on, by, err})
	return err
}

// nl returns the socket of a link's namespace, and the link.
func (w *gidWorld) nl(name string) (*netlink.Handle, netlink.Link, error) {
	h := w.spaces[w.where[name]]
	l, err := h.LinkByName(name)
	return h, l, err
}

// with runs f on a link.
func (w *gidWorld) with(name string, f func(*netlink.Handle, netlink.Link) error) error {
	h, l, err := w.nl(name)
	if err != nil {
		return err
	}
	return f(h, l)
}

func (w *gidWorld) pick(from []string) string {
	if len(from) == 0 {
		return ""
	}
	return from[w.rand.IntN(len(from))]
}

// of returns the links of some kinds.
func (w *gidWorld) of(kinds ...string) []string {
	var found []string
	for _, l := range w.links {
		if slices.Contains(kinds, w.kinds[l]) {
			found = append(found, l)
		}
	}
	return found
}

func (w *gidWorld) name(prefix string) string {
	w.counter++
	return fmt.Sprintf("%s%d", prefix, w.counter)
}

// make makes a link on a parent, or without, and brings it up.
func (w *gidWorld) make(kind, name, parent string, link func(netlink.LinkAttrs) netlink.Link) {
	err := w.do("make", name, parent, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		h, home := w.spaces[""], ""
		if parent != "" {
			home = w.where[parent]
			on, l, err := w.nl(parent)
			if err != nil {
				return err
			}
			h, attrs.ParentIndex = on, l.Attrs().Index
			if w.rand.IntN(4) == 0 && kind != "vxlan" {
				home = "blue"
				attrs.Namespace = netlink.NsFd(int(w.fds["blue"]))
			}
		}
		if err := h.LinkAdd(link(attrs)); err != nil {
			return err
		}
		w.where[name], w.kinds[name] = home, kind
		w.links = append(w.links, name)
		return nil
	})
	if err == nil && w.rand.IntN(8) > 0 {
		w.up(name)
	}
}

func (w *gidWorld) up(name string) {
	_ = w.do("up", name, "", func() error { return w.with(name, (*netlink.Handle).LinkSetUp) })
}

func (w *gidWorld) down(name string) {
	_ = w.do("down", name, "", func() error { return w.with(name, (*netlink.Handle).LinkSetDown) })
}

var bondModes = []string{"active-backup", "active-backup", "balance-rr", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}

func (w *gidWorld) addBond() {
	mode := w.pick(bondModes)
	failOverMAC := w.rand.IntN(4) == 0
	w.make("bond", w.name("bond"), "", func(a netlink.LinkAttrs) netlink.Link {
		b := netlink.NewLinkBond(a)
		b.Mode, b.Miimon = netlink.StringToBondMode(mode), 100
		if failOverMAC && mode == "active-backup" {
			b.FailOverMac = netlink.BOND_FAIL_OVER_MAC_ACTIVE
		}
		return b
	})
	w.done[len(w.done)-1].by += " " + mode
}

func (w *gidWorld) addUpper(parent string) {
	id := w.rand.IntN(4000) + 1
	switch w.rand.IntN(5) {
	case 0, 1:
		w.make("vlan", w.name("vlan"), parent, func(a netlink.LinkAttrs) netlink.Link {
			return &netlink.Vlan{LinkAttrs: a, VlanId: id, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
		})
	case 2, 3:
		w.make("macvlan", w.name("mac"), parent, func(a netlink.LinkAttrs) netlink.Link {
			return &netlink.Macvlan{LinkAttrs: a, Mode: netlink.MACVLAN_MODE_BRIDGE}
		})
	default:
		w.make("vxlan", w.name("vx"), parent, func(a netlink.LinkAttrs) netlink.Link {
			index := a.ParentIndex
			a.ParentIndex = 0
			return &netlink.Vxlan{LinkAttrs: a, VxlanId: id, VtepDevIndex: index, Port: 4789 + id}
		})
	}
}

func (w *gidWorld) addMaster() {
	if table := uint32(w.rand.IntN(200) + 10); w.rand.IntN(2) == 0 {
		w.make("vrf", w.name("vrf"), "", func(a netlink.LinkAttrs) netlink.Link { return &netlink.Vrf{LinkAttrs: a, Table: table} })
		return
	}
	w.make("bridge", w.name("br"), "", func(a netlink.LinkAttrs) netlink.Link { return &netlink.Bridge{LinkAttrs: a} })
}

// enslave puts a link into a master. Bonds take only those that are down.
func (w *gidWorld) enslave(slave, master string) {
	if slave == master || slave == "" || master == "" {
		return
	}
	if w.kinds[master] == "bond" {
		w.down(slave)
	}
	_ = w.do("enslave", slave, master, func() error {
		_, m, err := w.nl(master)
		if err != nil {
			return err
		}
		return w.with(slave, func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetMaster(l, m) })
	})
	if w.rand.IntN(8) > 0 {
		w.up(slave)
	}
}

func (w *gidWorld) release(name string) {
	_ = w.do("release", name, "", func() error {
		return w.with(name, func(h *netlink.Handle, l netlink.Link) error {
			if l.Attrs().MasterIndex == 0 {
				return errors.New("has no master")
			}
			return h.LinkSetNoMaster(l)
		})
	})
}

func (w *gidWorld) remove(name string) {
	err := w.do("remove", name, "", func() error { return w.with(name, (*netlink.Handle).LinkDel) })
	if err == nil {
		w.forget()
	}
}

// forget takes links off the list that are there no more: they go with those
// that they lie on. So do devices.
func (w *gidWorld) forget() {
	w.links = slices.DeleteFunc(w.links, func(l string) bool {
		_, _, err := w.nl(l)
		return err != nil
	})
	for hca, netdev := range w.hcas {
		if !slices.Contains(w.links, netdev) {
			delete(w.hcas, hca)
		}
	}
}

func (w *gidWorld) failover(bond string) {
	_ = w.do("failover", bond, "", func() error {
		return w.with(bond, func(h *netlink.Handle, l netlink.Link) error {
			var slaves []netlink.Link
			all, err := h.LinkList()
			for _, s := range all {
				if s.Attrs().MasterIndex == l.Attrs().Index {
					slaves = append(slaves, s)
				}
			}
			if err != nil || len(slaves) == 0 {
				return errors.Join(err, errors.New("no slaves"))
			}
			to := slaves[w.rand.IntN(len(slaves))]
			w.done = append(w.done, gidOp{what: "activate", on: bond, by: to.Attrs().Name})
			b := netlink.NewLinkBond(netlink.LinkAttrs{Name: bond, Index: l.Attrs().Index})
			b.ActiveSlave = to.Attrs().Index
			return h.LinkModify(b)
		})
	})
}

func (w *gidWorld) setMAC(name string) {
	mac := net.HardwareAddr{2, byte(w.rand.IntN(256)), byte(w.rand.IntN(256)), 0, 0, byte(w.rand.IntN(256))}
	_ = w.do("mac", name, mac.String(), func() error {
		return w.with(name, func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetHardwareAddr(l, mac) })
	})
}

// randomAddr is from a small world, so that addresses meet.
func (w *gidWorld) randomAddr() *netlink.Addr {
	host, subnet := byte(w.rand.IntN(6)+1), byte(w.rand.IntN(40))
	text := fmt.Sprintf("10.0.%d.%d/24", subnet, host)
	var peer *net.IPNet
	switch w.rand.IntN(8) {
	case 0, 1, 2:
		text = fmt.Sprintf("2001:db8:0:%x::%x/64", subnet, host)
	case 3:
		text = fmt.Sprintf("10.0.%d.%d/25", subnet, host)
	case 4:
		text = fmt.Sprintf("10.9.%d.%d/32", subnet, host)
		peer = &net.IPNet{IP: net.IPv4(10, 9, subnet, host+100), Mask: net.CIDRMask(32, 32)}
	case 5:
		text = fmt.Sprintf("2001:db8:9:%x::%x/128", subnet, host)
		a := netip.MustParseAddr(fmt.Sprintf("2001:db8:9:%x::%x", subnet, host+100)).AsSlice()
		peer = &net.IPNet{IP: a, Mask: net.CIDRMask(128, 128)}
	}
	addr, err := netlink.ParseAddr(text)
	if err != nil {
		w.t.Fatal(err)
	}
	addr.Peer = peer
	return addr
}

func (w *gidWorld) addAddr(name string) {
	addr := w.randomAddr()
	_ = w.do("address", name, addr.String(), func() error {
		return w.with(name, func(h *netlink.Handle, l netlink.Link) error { return h.AddrAdd(l, addr) })
	})
}

func (w *gidWorld) delAddr(name string) {
	_ = w.do("no-address", name, "", func() error {
		return w.with(name, func(h *netlink.Handle, l netlink.Link) error {
			addrs, err := h.AddrList(l, 0)
			if err != nil || len(addrs) == 0 {
				return errors.Join(err, errors.New("no address"))
			}
			a := addrs[w.rand.IntN(len(addrs))]
			w.done = append(w.done, gidOp{what: "deleting", on: name, by: a.String()})
			return h.AddrDel(l, &a)
		})
	})
}

func (w *gidWorld) addHCA(netdev string) {
	for _, n := range w.hcas {
		if n == netdev {
			return
		}
	}
	name := w.name("rxe")
	err := w.do("hca", name, netdev, func() error {
		return w.with(netdev, func(h *netlink.Handle, _ netlink.Link) error { return h.RdmaLinkAdd(name, "rxe", netdev) })
	})
	if err == nil {
		w.hcas[name] = netdev
	}
}

// remake makes all devices anew: the kernel enters then what its rules say, without a
// history. To remove a device is mostly waiting, so that is done for all at once; not so
// the making, of which Linux 7 sometimes refuses two at a time.
func (w *gidWorld) remake() {
	names := slices.Sorted(maps.Keys(w.hcas))
	errs := make([]error, len(names))
	var working sync.WaitGroup
	for i, name := range names {
		working.Go(func() { errs[i] = removeHCA(name) })
	}
	working.Wait()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
	for _, name := range names {
		netdev := w.hcas[name]
		err := w.with(netdev, func(h *netlink.Handle, _ netlink.Link) error { return h.RdmaLinkAdd(name, "rxe", netdev) })
		if err != nil {
			w.t.Fatalf("make %s anew: %v", name, err)
		}
	}
}

// removeHCA removes a device. The library looks for it in a list, and one from which
// others go meanwhile may lack it (seen on 6.1).
func removeHCA(name string) error {
	h, err := netlink.NewHandle(unix.NETLINK_RDMA)
	if err != nil {
		return err
	}
	defer h.Close()
	err = h.RdmaLinkDel(name)
	for tries := 0; tries < 50 && err != nil && strings.Contains(err.Error(), "not found"); tries++ {
		err = h.RdmaLinkDel(name)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// build makes something to begin with.
func (w *gidWorld) build() {
	for range 2 + w.rand.IntN(3) {
		w.make("dummy", w.name("eth"), "", func(a netlink.LinkAttrs) netlink.Link { return &netlink.Dummy{LinkAttrs: a} })
	}
	if w.rand.IntN(4) > 0 {
		w.addBond()
	}
	eths := w.of("dummy")
	w.rand.Shuffle(len(eths), func(i, j int) { eths[i], eths[j] = eths[j], eths[i] })
	early := w.rand.IntN(2) == 0
	for i, eth := range eths {
		if early && i < 3 {
			w.addHCA(eth)
		}
		if bonds := w.of("bond"); len(bonds) > 0 && i < 2 {
			w.enslave(eth, bonds[0])
		}
	}
	for i := range 2 + w.rand.IntN(3) {
		w.addUpper(w.pick(w.of("dummy", "bond", "vlan")))
		if i == 0 && w.rand.IntN(2) == 0 {
			w.addMaster()
		}
		w.addAddr(w.pick(w.links))
		w.addAddr(w.pick(w.links))
	}
	for i, eth := range eths {
		if i < 3 {
			w.addHCA(eth)
		}
	}
}

// step changes something.
func (w *gidWorld) step() {
	any := w.pick(w.links)
	switch n := w.rand.IntN(100); {
	case n < 4:
		w.addBond()
	case n < 12:
		w.addUpper(w.pick(w.of("dummy", "bond", "vlan", "macvlan")))
	case n < 16:
		w.addMaster()
	case n < 26:
		w.enslave(w.pick(w.of("dummy", "dummy", "vlan", "bond", "vxlan")), w.pick(w.of("bond", "bond", "bridge", "vrf")))
	case n < 33:
		w.release(any)
	case n < 53:
		w.addAddr(any)
	case n < 62:
		w.delAddr(any)
	case n < 70:
		w.setMAC(any)
	case n < 78:
		w.down(any)
	case n < 87:
		w.up(any)
	case n < 94:
		if bond := w.pick(w.of("bond")); bond != "" {
			w.failover(bond)
		}
	case n < 96:
		w.addHCA(w.pick(w.of("dummy", "bond", "macvlan")))
	default:
		w.remove(w.pick(w.of("vlan", "macvlan", "vxlan", "bridge", "vrf", "bond")))
	}
}
