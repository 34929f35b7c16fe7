package sysfs

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

func readCounters(t *testing.T, tree sysfstest.Tree, port rdma.Opt[uint32], skip func(string) bool) ([]Counter, []rdma.Warning, error) {
	t.Helper()
	fs, err := Open(tree.Under("class/infiniband/x").Write(t))
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	d, err := fs.OpenDevice("x")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return d.Counters("x", port, skip)
}

func TestCounters(t *testing.T) {
	tree := sysfstest.Tree{
		"hw_counters/resets":                   "2\n",
		"ports/1/counters/port_xmit_data":      "18446744073709551615\n",
		"ports/1/counters/port_rcv_data":       "7\n",
		"ports/1/hw_counters/lifespan":         "10\n",
		"ports/1/hw_counters/out_of_buffer":    "0\n",
		"ports/1/hw_counters/known_by_netlink": "9\n",
	}
	got, warnings, err := readCounters(t, tree, rdma.Known(uint32(1)), func(name string) bool { return name == "known_by_netlink" })
	want := []Counter{
		{PortCounters, "port_rcv_data", 7}, {PortCounters, "port_xmit_data", 1<<64 - 1}, {HWCounters, "out_of_buffer", 0},
	}
	if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("port: %+v, warnings %v, %v", got, warnings, err)
	}
	got, warnings, err = readCounters(t, tree, rdma.Opt[uint32]{}, nil)
	if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, []Counter{{HWCounters, "resets", 2}}) {
		t.Errorf("device: %+v, warnings %v, %v", got, warnings, err)
	}
}

// A port whose PMA does not answer says the same in every file: one warning, and
// the driver's counters are there.
func TestBadCounters(t *testing.T) {
	tree := sysfstest.Tree{
		"ports/1/counters/symbol_error":   "N/A (no PMA)\n",
		"ports/1/counters/link_downed":    "N/A (no PMA)\n",
		"ports/1/counters/port_rcv_data":  "-1\n",
		"ports/1/hw_counters/cqe_errors":  "3\n",
		"ports/1/hw_counters/directory/":  "",
		"ports/1/hw_counters/bigger_than": "18446744073709551616\n",
	}
	got, warnings, err := readCounters(t, tree, rdma.Known(uint32(1)), nil)
	if err != nil || !reflect.DeepEqual(got, []Counter{{HWCounters, "cqe_errors", 3}}) {
		t.Errorf("%+v, %v", got, err)
	}
	var said []string
	for _, w := range warnings {
		said = append(said, w.Error())
	}
	want := `x/1: read counters/link_downed and 1 more: "N/A (no PMA)" makes no sense
x/1: read counters/port_rcv_data: "-1" makes no sense
x/1: read hw_counters/bigger_than: "18446744073709551616" makes no sense
x/1: read hw_counters/directory: not a regular file`
	if text := strings.Join(said, "\n"); text != want {
		t.Errorf("warnings:\n%s\nwant:\n%s", text, want)
	}
}

func TestNoCounters(t *testing.T) {
	tree := sysfstest.Tree{"ports/1/state": "4: ACTIVE\n"}
	if got, warnings, err := readCounters(t, tree, rdma.Known(uint32(1)), nil); err != nil || len(got)+len(warnings) > 0 {
		t.Errorf("none: %v, %v, %v", got, warnings, err)
	}
	if _, _, err := readCounters(t, tree, rdma.Known(uint32(2)), nil); !errors.Is(err, ErrNoPort) {
		t.Errorf("no port: %v", err)
	}
	if _, _, err := readCounters(t, sysfstest.Tree{"node_type": "1: CA\n"}, rdma.Known(uint32(1)), nil); !errors.Is(err, ErrVanished) {
		t.Errorf("no ports at all: %v", err)
	}
	if _, warnings, err := readCounters(t, sysfstest.Tree{"ports/1/counters": "a file\n"}, rdma.Known(uint32(1)), nil); err != nil || len(warnings) != 1 {
		t.Errorf("what should be a directory is none: %v, %v", warnings, err)
	}
}
