package takedown

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
	"github.com/ibctl/ibctl/internal/nldev"
)

// fakeKernel has one device, which forgets everything in forget.
type fakeKernel struct {
	adaptive bool
	on       map[uint32]bool // optional counters, by number
	refuse   error
}

var counterNames = []string{"rx_pkts", "cc_rx_ce_pkts", "cc_tx_cnp_pkts"} // the first one cannot be switched

func (f *fakeKernel) Device(context.Context, uint32) (nldev.Device, error) {
	return nldev.Device{Device: rdma.Device{AdaptiveModeration: rdma.Known(f.adaptive)}}, nil
}

func (f *fakeKernel) SetAdaptiveModeration(_ context.Context, _ uint32, on bool) error {
	f.adaptive = on
	return f.refuse
}

func (f *fakeKernel) CounterStates(context.Context, uint32, uint32) (all []nldev.CounterState, err error) {
	for i, name := range counterNames {
		c := nldev.CounterState{Name: name, Index: uint32(i)}
		if i > 0 {
			c.On = rdma.Known(f.on[c.Index])
		}
		all = append(all, c)
	}
	return all, nil
}

func (f *fakeKernel) SetOptionalCounters(_ context.Context, _, _ uint32, counters []uint32) error {
	f.on = map[uint32]bool{}
	for _, n := range counters {
		f.on[n] = true
	}
	return f.refuse
}

// defaultsOf makes a configfs tree with one port of rxe0.
func defaultsOf(t *testing.T, mode, tos string) (tree configfs.Tree, port string) {
	t.Helper()
	root := t.TempDir()
	port = filepath.Join(root, "rxe0/ports/1")
	if err := os.MkdirAll(port, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"default_roce_mode": mode, "default_roce_tos": tos} {
		if err := os.WriteFile(filepath.Join(port, file), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return configfs.New(root), port
}

// TestSettings: what is read is what is set again, and only what differs.
func TestSettings(t *testing.T) {
	dev := rdma.Device{Index: rdma.Known(uint32(3)), Name: "rxe0", Ports: []rdma.Port{{Number: 1}}}
	before, _ := defaultsOf(t, "RoCE v2", "106")
	kernel := &fakeKernel{adaptive: true, on: map[uint32]bool{2: true}}
	read := keeper{kernel: kernel, defaults: before, device: dev}
	was := read.read(t.Context())
	want := Settings{Device: "rxe0", Adaptive: rdma.Known(true), Ports: []PortSettings{
		{Port: 1, RoCEMode: rdma.GIDTypeRoCEv2, TOS: rdma.Known(uint8(106)), Counters: []string{"cc_tx_cnp_pkts"}},
	}}
	if !reflect.DeepEqual(was, want) || len(read.warnings) > 0 {
		t.Fatalf("read %+v, %v; want %+v", was, read.warnings, want)
	}
	after, port := defaultsOf(t, "RoCE v2", "0")
	forgetful := &fakeKernel{on: map[uint32]bool{1: true}} // somebody has switched one on meanwhile
	set := keeper{kernel: forgetful, defaults: after, device: dev}
	set.set(t.Context(), was)
	if !forgetful.adaptive || !reflect.DeepEqual(forgetful.on, map[uint32]bool{1: true, 2: true}) {
		t.Errorf("the kernel has %+v", forgetful)
	}
	if text, err := os.ReadFile(filepath.Join(port, "default_roce_tos")); strings.TrimSpace(string(text)) != "106" || err != nil {
		t.Errorf("TOS %q, %v", text, err)
	}
	if got, want := strings.Join(set.done, "; "), "adaptive moderation on; counters of port 1: cc_tx_cnp_pkts; TOS of port 1: 106"; got != want {
		t.Errorf("done %s; want %s", got, want)
	}
	set.done = nil
	if set.set(t.Context(), was); len(set.done) > 0 {
		t.Errorf("done again: %q", set.done)
	}
}

// TestSettingsRefused: what cannot be set is a warning, and the rest is set.
func TestSettingsRefused(t *testing.T) {
	dev := rdma.Device{Index: rdma.Known(uint32(3)), Name: "rxe0", Ports: []rdma.Port{{Number: 1}}}
	tree, _ := defaultsOf(t, "RoCE v2", "0")
	k := keeper{kernel: &fakeKernel{refuse: unix.EOPNOTSUPP}, defaults: tree, device: dev}
	k.set(t.Context(), Settings{Adaptive: rdma.Known(true), Ports: []PortSettings{{Port: 1, TOS: rdma.Known(uint8(8))}}})
	if len(k.warnings) != 1 || k.warnings[0].Op != "put back adaptive moderation on" || len(k.done) != 1 {
		t.Errorf("done %q, warnings %v", k.done, k.warnings)
	}
}
