package survey_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/roce/gidrules"
	"github.com/ibctl/ibctl/plugins/roce/survey"
)

func noRebuild(survey.PortName, string) []string { return nil }

// rack is a survey of ports, each on a slave of a bond with VLANs, whose tables
// are full of what the rules put there.
func rack(ports, slots int) *survey.Survey {
	s := &survey.Survey{Behind: map[survey.PortName]netstate.Ref{}}
	ns := netstate.Namespace{ID: 1, Path: "/proc/thread-self/ns/net"}
	add := func(n netstate.Netdev) netstate.Ref {
		n.Ref = netstate.Ref{Netns: 1, Index: uint32(len(ns.Netdevs) + 1)}
		n.Link, n.Up, n.Running = netstate.Ethernet, true, true
		ns.Netdevs = append(ns.Netdevs, n)
		return n.Ref
	}
	for p := range ports {
		name := survey.PortName{Device: fmt.Sprintf("mlx5_%d", p), Port: 1}
		mac := rdma.Known(netstate.MAC{2, 0, 0, 0, 0, byte(p)})
		bond := add(netstate.Netdev{Name: fmt.Sprintf("bond%d", p), MAC: mac, Kind: "bond", Bond: &netstate.Bond{Mode: "802.3ad"}})
		s.Behind[name] = add(netstate.Netdev{Name: fmt.Sprintf("eth%d", p), MAC: mac, Master: bond.Index})
		for v := range 6 {
			vlan := netstate.Netdev{Name: fmt.Sprintf("bond%d.%d", p, v), MAC: mac, Kind: "vlan", Lower: bond}
			for a := range (slots - 2) / 2 / 6 {
				vlan.Addrs = append(vlan.Addrs, netstate.Addr{Local: netip.AddrFrom4([4]byte{10, byte(p), byte(v), byte(a + 1)}), Bits: 24})
			}
			add(vlan)
		}
		s.Ports = append(s.Ports, name)
	}
	s.Netdevs.Namespaces = []netstate.Namespace{ns}
	world := gidrules.NewWorld(&s.Netdevs)
	for _, p := range s.Ports {
		e := world.Expect(s.Behind[p])
		t := survey.Table{PortName: p, GIDTable: sysfs.GIDTable{Slots: slots}}
		for _, source := range append(e.Defaults[:1:1], e.Addresses...) {
			for _, typ := range []rdma.GIDType{rdma.GIDTypeIBOrRoCEv1, rdma.GIDTypeRoCEv2} {
				t.Entries = append(t.Entries, rdma.GIDEntry{Device: p.Device, Port: 1, Index: uint32(len(t.Entries)), GID: source.GID, Type: typ, Netdev: source.Netdev.Name})
			}
		}
		s.Tables = append(s.Tables, t)
	}
	return s
}

// BenchmarkAudit is what the audit of a whole rack of ports costs beyond reading
// their tables.
func BenchmarkAudit(b *testing.B) {
	s := rack(64, 256)
	for b.Loop() {
		for _, r := range s.Audit(noRebuild) {
			if r.Severity != gidrules.OK || r.Used != 254 || r.Expected != 254 {
				b.Fatalf("%v: %v, used %d, expected %d, %+v", r.PortName, r.Severity, r.Used, r.Expected, r.Findings)
			}
		}
	}
}

func TestAudit(t *testing.T) {
	s := rack(3, 64)
	s.Tables[1].Entries = s.Tables[1].Entries[:10]
	s.Tables[2].Err = errors.New("gone")
	reports := s.Audit(noRebuild)
	if reports[0].Severity != gidrules.OK || len(reports[0].Findings) > 0 || reports[0].Netdev != "eth0" || reports[0].Expected != reports[0].Used {
		t.Errorf("a sound port: %+v", reports[0])
	}
	if reports[1].Severity != gidrules.Critical || len(reports[1].Findings) != reports[1].Expected-10 {
		t.Errorf("a port that lacks something: %v, %d findings", reports[1].Severity, len(reports[1].Findings))
	}
	if reports[2].Severity != gidrules.Unknown || reports[2].Err == nil {
		t.Errorf("a port that could not be read: %+v", reports[2])
	}
	if s.Sound() {
		t.Error("that is sound")
	}
	delete(s.Behind, s.Ports[0])
	if r := s.Audit(noRebuild)[0]; r.Severity != gidrules.Unknown || r.Findings[0].Kind != gidrules.Unjudged {
		t.Errorf("a port whose netdev is not seen: %+v", r)
	}
}

// changing are sources whose table has one entry more at each of the first reads.
type changing struct{ n, reads int }

func (c *changing) Read(context.Context) []survey.Table {
	c.n++
	return []survey.Table{{GIDTable: sysfs.GIDTable{Slots: min(c.n, c.reads)}}}
}

func (c *changing) Same(_ context.Context, tables []survey.Table) bool {
	return c.Read(nil)[0].Slots == tables[0].Slots
}

func (c *changing) sources() survey.Sources {
	return survey.Sources{
		Netdevs: func(context.Context) (netstate.Snapshot, []rdma.Warning, error) {
			return netstate.Snapshot{Namespaces: []netstate.Namespace{{ID: 1}}}, nil, nil
		},
		Behind: func(context.Context, *netstate.Snapshot) (map[survey.PortName]netstate.Ref, []survey.PortName, []rdma.Warning, error) {
			return nil, nil, nil, nil
		},
		Tables: c,
	}
}

func TestSettled(t *testing.T) {
	sound := func(*survey.Survey) bool { return true }
	faulty := func(*survey.Survey) bool { return false }
	tests := []struct {
		what   string
		reads  int
		sound  func(*survey.Survey) bool
		atMost time.Duration
		least  time.Duration
		err    error
	}{
		{"quiet and sound", 1, sound, 100 * time.Millisecond, 0, nil},
		{"quiet at last", 4, sound, time.Second, 400 * time.Millisecond, nil},
		{"quiet, with faults", 1, faulty, 2 * time.Second, time.Second, nil},
		{"never quiet", 1 << 30, sound, 11 * time.Second, 10 * time.Second, survey.ErrUnsettled},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			s, err := survey.Settled(t.Context(), (&changing{reads: tt.reads}).sources(), tt.sound)
			if took := time.Since(begin); took > tt.atMost || took < tt.least {
				t.Errorf("%s: took %v", tt.what, took)
			}
			if !errors.Is(err, tt.err) || s == nil {
				t.Errorf("%s: %v, %v", tt.what, s, err)
			}
		})
	}
}

func TestSettledEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if s, err := survey.Settled(ctx, (&changing{reads: 1 << 30}).sources(), (*survey.Survey).Sound); s != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", s, err)
		}
	})
}

// What is sound and has not moved is read once as a whole. Where a netdev has moved
// meanwhile it is read again.
func TestSettledLooksAgain(t *testing.T) {
	for _, moves := range []int{0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			still, asked := &changing{reads: 1}, 0
			s := still.sources()
			s.Netdevs = func(context.Context) (netstate.Snapshot, []rdma.Warning, error) {
				asked++
				return netstate.Snapshot{Namespaces: []netstate.Namespace{{ID: uint64(min(asked, moves+1))}}}, nil, nil
			}
			got, err := survey.Settled(t.Context(), s, func(*survey.Survey) bool { return true })
			if err != nil || got.Netdevs.Namespaces[0].ID != uint64(moves+1) {
				t.Errorf("%d moves: %+v, %v", moves, got, err)
			}
			if want := map[int]int{0: 2, 1: 4, 3: 6}[moves]; asked != want {
				t.Errorf("%d moves: asked for netdevs %d times, want %d", moves, asked, want)
			}
		})
	}
}
