package nldev

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestCounters(t *testing.T) {
	for _, k := range kernels {
		list, err := replay(t, k, "stat-get").Counters(t.Context(), 0, 1)
		if err != nil || len(list) < 15 {
			t.Fatalf("%s: %d counters, %v", k, len(list), err)
		}
		isNamed := func(name string) bool {
			return slices.ContainsFunc(list, func(c Counter) bool { return c.Name == name })
		}
		for _, name := range []string{"sent_pkts", "rcvd_pkts", "link_downed"} {
			if !isNamed(name) {
				t.Errorf("%s: no %s in %v", k, name, list)
			}
		}
	}
}

func TestCounterStates(t *testing.T) {
	for _, k := range kernels {
		list, err := replay(t, k, "stat-status").CounterStates(t.Context(), 0, 1)
		if err != nil || len(list) < 15 || list[0].Name != "sent_pkts" || list[0].On.IsKnown() || list[1].Index != 1 {
			t.Errorf("%s: %+v, %v", k, list, err)
		}
	}
	optional, err := decodeCounterState(attributes(
		nl.NewRtAttr(attrStatHWName, nl.ZeroTerminated("cc_rx_ce_pkts")), nl.NewRtAttr(attrStatHWIndex, nl.Uint32Attr(21)), nl.NewRtAttr(attrStatHWDynamic, nl.Uint8Attr(1)),
	))
	if want := (CounterState{"cc_rx_ce_pkts", 21, rdma.Known(true)}); err != nil || optional != want {
		t.Errorf("%+v, %v", optional, err)
	}
}

func TestAutoCounters(t *testing.T) {
	for _, k := range kernels {
		m, err := replay(t, k, "stat-mode").AutoCounters(t.Context(), 0, 1)
		if err != nil || m.Mode != CountersNone || m.ByType || m.ByPID {
			t.Errorf("%s: %+v, %v", k, m, err)
		}
	}
	m, err := decodeAutoCounters(attributes(
		nl.NewRtAttr(attrStatMode, nl.Uint32Attr(1)), nl.NewRtAttr(attrStatAutoMask, nl.Uint32Attr(3)), nl.NewRtAttr(attrStatOptional, nl.Uint8Attr(1)),
	))
	if want := (AutoCounters{CountersAuto, true, true, rdma.Known(true)}); err != nil || m != want {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := decodeAutoCounters(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("no mode: %v", err)
	}
}

// hwCounter is a counter as the kernel lists it.
func hwCounter(name string, value uint64) *nl.RtAttr {
	a := nl.NewRtAttr(attrStatHWCounters+1, nil)
	a.AddRtAttr(attrStatHWName, nl.ZeroTerminated(name))
	a.AddRtAttr(attrStatHWValue, nl.Uint64Attr(value))
	return a
}

// No driver of the lab has counters for queue pairs; this is how
// fill_res_counter_entry (drivers/infiniband/core/nldev.c) lays them out.
func TestQPCounters(t *testing.T) {
	for _, k := range kernels {
		if list, err := replay(t, k, "stat-qp-dump").QPCounters(t.Context(), 0); err != nil || len(list) > 0 {
			t.Errorf("%s: %+v, %v", k, list, err)
		}
	}
	qps := nl.NewRtAttr(attrResQP, nil)
	for _, n := range []uint32{178, 1 << 23} {
		qps.AddRtAttr(attrResQPEntry, attributes(nl.NewRtAttr(attrResLQPN, nl.Uint32Attr(n))))
	}
	table := nl.NewRtAttr(attrStatHWCounters, nil)
	table.AddChild(hwCounter("rx_write_requests", 1<<64-1))
	got, err := decodeQPCounter(attributes(
		nl.NewRtAttr(attrPortIndex, nl.Uint32Attr(1)), nl.NewRtAttr(attrStatCounterID, nl.Uint32Attr(4)),
		nl.NewRtAttr(attrStatMode, nl.Uint32Attr(1)), nl.NewRtAttr(attrResType, nl.Uint8Attr(2)), nl.NewRtAttr(attrResPID, nl.Uint32Attr(77)), qps, table,
	))
	want := QPCounter{
		ID: 4, Port: rdma.Known(uint32(1)), Mode: rdma.Known(CountersAuto), Type: rdma.Known(QPType(2)), Owner: Owner{PID: rdma.Known(uint32(77))},
		QPs: []uint32{178, 1 << 23}, Counters: []Counter{{"rx_write_requests", 1<<64 - 1}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := decodeQPCounter(attributes(qps)); !errors.Is(err, ErrMalformed) {
		t.Errorf("without an id: %v", err)
	}
}

// A driver without counters is told from a device that is not there: the kernel
// answers EINVAL to both.
func TestNoCounters(t *testing.T) {
	refused := datagrams(t, "7.x", "get-missing")
	c := conn(&script{answers: [][][]byte{refused, datagrams(t, "7.x", "get-one")}})
	if _, err := c.Counters(t.Context(), 0, 1); !errors.Is(err, ErrNoCounters) || !errors.Is(err, unix.EINVAL) {
		t.Errorf("no counters: %v", err)
	}
	c = conn(&script{answers: [][][]byte{refused, refused}})
	if _, err := c.Counters(t.Context(), 0, 1); !errors.Is(err, ErrNoDevice) {
		t.Errorf("no device: %v", err)
	}
}

// acknowledged is what the kernel answers to a change that it made.
func acknowledged() [][]byte {
	header := message(0, 0, nil)
	return [][]byte{message(unix.NLMSG_ERROR, 0, append([]byte{0, 0, 0, 0}, header...))}
}

// What is sent is what the kernel's policy wants (nldev_stat_set_doit,
// nldev_stat_set_counter_dynamic_doit, nldev_stat_del_doit).
func TestChangeCounters(t *testing.T) {
	u32 := func(typ int, v uint32) *nl.RtAttr { return nl.NewRtAttr(typ, nl.Uint32Attr(v)) }
	at := []*nl.RtAttr{u32(1, 3), u32(3, 1)}
	optional := nl.NewRtAttr(80|1<<15, nil)
	optional.AddRtAttr(94, nl.Uint32Attr(2))
	optional.AddRtAttr(94, nl.Uint32Attr(7))
	for what, tt := range map[string]struct {
		do   func(*Conn) error
		op   uint16
		want []*nl.RtAttr
	}{
		"optional": {func(c *Conn) error { return c.SetOptionalCounters(t.Context(), 3, 1, []uint32{7, 2}) }, 16, append(at[:2:2], optional)},
		"none":     {func(c *Conn) error { return c.SetOptionalCounters(t.Context(), 3, 1, nil) }, 16, append(at[:2:2], nl.NewRtAttr(80|1<<15, nil))},
		"auto":     {func(c *Conn) error { return c.SetAutoCounters(t.Context(), 3, 1, true, true) }, 16, append(at[:2:2], u32(75, 19), u32(74, 1), u32(76, 3))},
		"unbind":   {func(c *Conn) error { return c.UnbindCounter(t.Context(), 3, 1, 178, 4) }, 18, append(at[:2:2], u32(75, 19), u32(79, 4), u32(21, 178))},
		"bind": {func(c *Conn) error {
			_, err := c.BindCounter(t.Context(), 3, 1, 178, rdma.Known(uint32(4)))
			return err
		}, 16, append(at[:2:2], u32(75, 19), u32(74, 2), u32(21, 178), u32(79, 4))},
	} {
		s := &script{answers: [][][]byte{acknowledged()}}
		if err := tt.do(conn(s)); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		sent := s.sent[0].Serialize()
		if typ := s.sent[0].Type & 0x3ff; typ != tt.op || !bytes.Equal(sent[unix.SizeofNlMsghdr:], attributes(tt.want...)) {
			t.Errorf("%s: operation %d with %x, want %d with %x", what, typ, sent[unix.SizeofNlMsghdr:], tt.op, attributes(tt.want...))
		}
	}
}

// The kernel tells the new set's id before it acknowledges.
func TestBindTellsTheSet(t *testing.T) {
	told := message(clientNLDev<<10|cmdStatSet, 0, attributes(nl.NewRtAttr(attrStatCounterID, nl.Uint32Attr(9))))
	id, err := conn(&script{answers: [][][]byte{append([][]byte{told}, acknowledged()...)}}).BindCounter(t.Context(), 3, 1, 178, rdma.Opt[uint32]{})
	if err != nil || id != rdma.Known(uint32(9)) {
		t.Errorf("%v, %v", id, err)
	}
}

func FuzzCounters(f *testing.F) {
	fuzz(f, []string{"stat-get", "stat-status", "stat-qp-dump", "stat-mr-dump"}, func(payload []byte) ([]Counter, error) {
		var all []Counter
		var states []CounterState
		err := errors.Join(eachEntry(payload, attrStatHWCounters, intoCounters(&all)), eachEntry(payload, attrStatHWCounters, func(entry []byte) error {
			s, err := decodeCounterState(entry)
			states = append(states, s)
			return err
		}), eachEntry(payload, attrStatCounter, func(entry []byte) error {
			_, err := decodeQPCounter(entry)
			return err
		}), eachEntry(payload, attrResMR, func(entry []byte) error {
			_, err := decode[MRCounters](entry)
			return err
		}))
		return all, err
	}, func(all []Counter) bool {
		return !slices.ContainsFunc(all, func(c Counter) bool { return c.Name == "" })
	})
}
