package counters

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

// The names are those of drivers in Linux 7.0: rxe_hw_counters.c, mlx5/counters.c,
// bnxt_re/hw_counters.c, irdma/verbs.c, efa_verbs.c, and of sysfs.c.
func TestUnits(t *testing.T) {
	for name, want := range map[string]Unit{
		"port_xmit_data": Octets, "port_rcv_data": Octets, "port_xmit_wait": Ticks, "port_xmit_packets": Packets,
		"unicast_rcv_packets": Packets, "sent_pkts": Packets, "tx_bytes": Octets, "ip4InOctets": Octets, "cc_rx_ce_pkts": Packets,
		"ip4OutPkts": Packets, "rx_write_requests": "", "out_of_buffer": "", "link_downed": "", "rdma_sends": "", "lifespan": "",
	} {
		if got := unitOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, name := range []string{
		"symbol_error", "link_error_recovery", "link_downed", "port_rcv_errors", "port_xmit_discards", "VL15_dropped",
		"excessive_buffer_overrun_errors", "out_of_buffer", "out_of_sequence", "out_of_seq_request", "rnr_nak_retry_err", "duplicate_request",
		"local_ack_timeout_err", "resp_cqe_flush_error", "roce_adp_retrans", "rx_icrc_encapsulated", "tx_roce_discards", "tcpRetransSegs",
		"ip4InDiscards", "rx_drops", "retry_exceeded_err", "missing_resp",
	} {
		if !countsErrors(name) {
			t.Errorf("%s counts no errors", name)
		}
	}
	for _, name := range []string{
		"port_xmit_data", "port_xmit_wait", "sent_pkts", "rx_write_requests", "np_cnp_sent", "rdma_recvs", "ack_deferred", "tx_bytes", "ip4InOctets", "rx_read_requests",
	} {
		if countsErrors(name) {
			t.Errorf("%s counts errors", name)
		}
	}
}

func TestOctets(t *testing.T) {
	if n, ok := inOctets(math.MaxUint64 / 4); !ok || n != math.MaxUint64-3 {
		t.Errorf("%d, %t", n, ok)
	}
	if _, ok := inOctets(math.MaxUint64/4 + 1); ok {
		t.Error("more octets than 64 bits have")
	}
}

// A device without netlink, and one whose port has gone.
func TestReaderOfTree(t *testing.T) {
	tree := sysfstest.Tree{"ports/1/counters/port_xmit_data": "250\n", "ports/1/hw_counters/tx_bytes": "250\n", "hw_counters/resets": "1\n"}
	r, err := Open(tree.Under("class/infiniband/x").Write(t))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := rdma.Device{Name: "x", Index: rdma.Known(uint32(3)), Ports: []rdma.Port{{Number: 1}}}
	got, warnings, err := r.Device(t.Context(), d)
	port := rdma.Known(uint32(1))
	want := []Counter{
		{"x", port, "port_xmit_data", 1000, Octets, PMA, false}, {"x", port, "tx_bytes", 250, Octets, HW, false},
		{Device: "x", Name: "resets", Value: 1, Source: HW},
	}
	if err != nil || len(warnings) > 0 || !slices.Equal(got, want) {
		t.Errorf("%+v, %v, %v", got, warnings, err)
	}
	if _, _, err := r.Port(t.Context(), d, 2); !errors.Is(err, ErrGone) || !errors.Is(err, sysfs.ErrNoPort) {
		t.Errorf("port 2: %v", err)
	}
	if _, _, err := r.Port(t.Context(), rdma.Device{Name: "y"}, 1); !errors.Is(err, ErrGone) {
		t.Errorf("device y: %v", err)
	}
	if _, _, err := r.Mode(t.Context(), d, 1); !errors.Is(err, ErrUnsupported) {
		t.Errorf("the mode of a tree: %v", err)
	}
}

func TestOptionalIndices(t *testing.T) {
	states := []nldev.CounterState{{Name: "sent_pkts"}, {Name: "a", Index: 4, On: rdma.Known(false)}, {Name: "b", Index: 5, On: rdma.Known(true)}}
	if got, err := optionalIndices(states, []string{"b", "a"}); err != nil || !slices.Equal(got, []uint32{5, 4}) {
		t.Errorf("%v, %v", got, err)
	}
	_, err := optionalIndices(states, []string{"a", "sent_pkts"})
	if u, ok := errors.AsType[*UnknownError](err); !ok || !slices.Equal(u.Known, []string{"a", "b"}) {
		t.Errorf("a counter that is not optional: %v", err)
	}
}
