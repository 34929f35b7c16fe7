package e2e

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/ibctl/ibctl/plugins/roce/gidrules"
)

// gidFault is a sequence by which the kernel loses or strands a GID.
type gidFault struct {
	what  string
	plant func(w *gidWorld)
	// want are the findings: "PORT'S NETDEV: KIND: CAUSE".
	want []string
}

// dummies makes netdevs with a device on each.
func (w *gidWorld) dummies(names ...string) {
	for _, name := range names {
		w.make("dummy", name, "", func(a netlink.LinkAttrs) netlink.Link { return &netlink.Dummy{LinkAttrs: a} })
		w.up(name)
		w.addHCA(name)
	}
}

// bond makes a bond of new slaves, of which the first is active.
func (w *gidWorld) bond(name, mode string, change func(*netlink.Bond), slaves ...string) {
	w.make("bond", name, "", func(a netlink.LinkAttrs) netlink.Link {
		b := netlink.NewLinkBond(a)
		b.Mode, b.Miimon = netlink.StringToBondMode(mode), 100
		change(b)
		return b
	})
	w.dummies(slaves...)
	for _, s := range slaves {
		w.enslave(s, name)
		w.up(s)
	}
	w.up(name)
	w.activate(name, slaves[0])
}

// activate makes a slave the active one, once the bond has one.
func (w *gidWorld) activate(bond, slave string) {
	waitFor(w.t, bond+" to have an active slave", func() bool { return w.active(bond) != "" })
	// A bond refuses one that it has not yet seen the link of.
	waitFor(w.t, bond+" to take "+slave, func() bool { return w.active(bond) == slave || w.makeActive(bond, slave) == nil })
	waitFor(w.t, slave+" to be active", func() bool { return w.active(bond) == slave })
}

func (w *gidWorld) makeActive(bond, slave string) error {
	return w.with(slave, func(h *netlink.Handle, s netlink.Link) error {
		_, l, err := w.nl(bond)
		if err != nil {
			return err
		}
		b := netlink.NewLinkBond(netlink.LinkAttrs{Name: bond, Index: l.Attrs().Index})
		b.ActiveSlave = s.Attrs().Index
		return h.LinkModify(b)
	})
}

// active names the active slave of a bond.
func (w *gidWorld) active(bond string) string {
	h, l, err := w.nl(bond)
	if err != nil {
		return ""
	}
	s, err := h.LinkByIndex(l.(*netlink.Bond).ActiveSlave)
	if err != nil {
		return ""
	}
	return s.Attrs().Name
}

func (w *gidWorld) address(netdev, text string) {
	addr, err := netlink.ParseAddr(text)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.with(netdev, func(h *netlink.Handle, l netlink.Link) error { return h.AddrAdd(l, addr) }); err != nil {
		w.t.Fatalf("%s: add %s: %v", netdev, text, err)
	}
}

func asItIs(*netlink.Bond) {}

func gidFaults() []gidFault {
	return []gidFault{
		{"the MAC of a bond changes", func(w *gidWorld) {
			w.bond("bm", "active-backup", asItIs, "bm1", "bm2")
			w.setMAC("bm")
		}, []string{"bm2: wrong_mac: bond_mac_changed_on_inactive_slave"}},
		{"balance-tlb fails over", func(w *gidWorld) {
			w.bond("tlb", "balance-tlb", asItIs, "tlb1", "tlb2")
			w.address("tlb", "10.1.0.1/24")
			w.settle()
			w.activate("tlb", "tlb2")
		}, []string{"tlb1: stale: failover_without_event", "tlb2: missing: failover_without_event"}},
		{"a slave that keeps its MAC is released", func(w *gidWorld) {
			w.bond("fom", "active-backup", func(b *netlink.Bond) { b.FailOverMac = netlink.BOND_FAIL_OVER_MAC_ACTIVE }, "fom1", "fom2")
			w.release("fom2")
		}, []string{"fom2: missing: released_from_bond"}},
		{"the bond fails over that the port is on", func(w *gidWorld) {
			w.bond("own", "active-backup", asItIs, "own1", "own2")
			w.addHCA("own")
			w.settle()
			w.activate("own", "own2")
		}, []string{"own: missing: failover_of_own_bond"}},
		{"a bond fails over beneath a bridge", func(w *gidWorld) {
			w.bond("low", "active-backup", asItIs, "low1", "low2")
			w.make("bridge", "br", "", func(a netlink.LinkAttrs) netlink.Link { return &netlink.Bridge{LinkAttrs: a} })
			_ = w.do("enslave", "low", "br", func() error {
				_, m, err := w.nl("br")
				if err != nil {
					return err
				}
				return w.with("low", func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetMaster(l, m) })
			})
			w.address("br", "10.5.0.1/24")
			w.settle()
			w.activate("low", "low2")
		}, []string{"low1: missing: failover_took_uppers"}},
		{"one of two addresses with one GID is deleted", func(w *gidWorld) {
			w.dummies("twin")
			w.address("twin", "10.6.0.1/24")
			w.address("twin", "10.6.0.1/25")
			w.address("twin", "10.6.0.2/24")
			w.settle()
			addr, _ := netlink.ParseAddr("10.6.0.1/25")
			_ = w.with("twin", func(h *netlink.Handle, l netlink.Link) error { return h.AddrDel(l, addr) })
		}, []string{"twin: missing: lost"}},
		{"one of two ways up is cut", func(w *gidWorld) {
			w.dummies("two")
			w.make("bridge", "both", "", func(a netlink.LinkAttrs) netlink.Link { return &netlink.Bridge{LinkAttrs: a} })
			w.make("vlan", "two.5", "two", func(a netlink.LinkAttrs) netlink.Link {
				a.Namespace = nil
				return &netlink.Vlan{LinkAttrs: a, VlanId: 5, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
			})
			w.where["two.5"] = ""
			w.enslave("two", "both")
			w.enslave("two.5", "both")
			w.address("both", "10.8.0.1/24")
			w.settle()
			w.release("two.5")
		}, []string{"two: missing: one_of_two_ways_unlinked"}},
		{"a loopback device gets an address", func(w *gidWorld) {
			w.addHCA("lo")
			w.address("lo", "10.99.0.1/32")
		}, []string{"lo: missing: not_followed"}},
	}
}

// settle waits for the kernel to have worked off what was done.
func (w *gidWorld) settle() { w.audit(w.t) }

// TestGIDFaults plants what the kernel is known to lose and to leave behind, all
// at once; the audit names each with its cause. Then it does what the audit says
// to mend it, and nothing is left to be found.
func TestGIDFaults(t *testing.T) {
	onOldestAndNewest(t)
	w, n := newGIDWorld(t, rand.New(rand.NewPCG(1, 1)))
	t.Cleanup(func() {
		_ = w.with("lo", func(h *netlink.Handle, l netlink.Link) error {
			addr, _ := netlink.ParseAddr("10.99.0.1/32")
			return h.AddrDel(l, addr)
		})
		w.close()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	var want []string
	for _, f := range gidFaults() {
		t.Logf("plant: %s", f.what)
		f.plant(w)
		want = append(want, f.want...)
	}
	found := differences(w.audit(t))
	var got, mend []string
	for _, f := range found {
		t.Logf("%s; mend %q", f, f.Mend)
		device, _, _ := strings.Cut(f.port, "/")
		if line := fmt.Sprintf("%s: %s: %s", w.hcas[device], f.Kind, f.Cause); !slices.Contains(got, line) {
			got = append(got, line)
		}
		for _, command := range f.Mend {
			if !slices.Contains(mend, command) {
				mend = append(mend, command)
			}
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("not found: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("found, and not planted: %s", line)
		}
	}
	// The program says the same, with the exit code of what is critical.
	r := ibctl(t, "", "gid", "audit", "-o", "json")
	if r.code != 2 || strings.Count(r.stdout, `"finding": `) < len(want) {
		t.Errorf("ibctl gid audit: exit code %d, %s\n%s", r.code, r.stderr, r.stdout)
	}
	for _, command := range mend {
		if out, err := exec.Command("sh", "-ec", command).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	for _, f := range differences(w.audit(t)) {
		t.Errorf("not mended: %s", f)
	}
}

// TestGIDTableFull fills a table to the brim.
func TestGIDTableFull(t *testing.T) {
	w, n := newGIDWorld(t, rand.New(rand.NewPCG(1, 1)))
	t.Cleanup(func() {
		w.close()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	w.make("dummy", "brim", "", func(a netlink.LinkAttrs) netlink.Link { return &netlink.Dummy{LinkAttrs: a} })
	for i := range 1030 {
		w.address("brim", fmt.Sprintf("10.%d.%d.1/32", 20+i/250, i%250))
	}
	w.addHCA("brim")
	missing, full := 0, 0
	for _, f := range differences(w.audit(t)) {
		switch {
		case f.Kind == gidrules.Missing && f.Cause == gidrules.Full:
			missing++
		case f.Kind == gidrules.TableFull:
			full++
		default:
			t.Errorf("found %s", f)
		}
	}
	if missing != 1030-1023 || full != 1 {
		t.Errorf("%d missing, %d full; want 7 and 1", missing, full)
	}
}
