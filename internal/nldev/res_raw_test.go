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

// Soft RoCE has no records of its own, and every kernel says so of an object that
// is there; of one that is not, it says that.
func TestNoRaw(t *testing.T) {
	for _, k := range kernels {
		for kind, name := range map[ObjectKind]string{QPs: "raw-qp", CQs: "raw-cq", MRs: "raw-mr", SRQs: "raw-srq"} {
			c := conn(&script{answers: [][][]byte{datagrams(t, k, name), datagrams(t, k, "get-one")}})
			if _, err := c.Raw(t.Context(), kind, 0, 1, rdma.Opt[uint32]{}); !errors.Is(err, ErrNoRaw) || errors.Is(err, ErrNoDevice) {
				t.Errorf("%s %s: %v", k, kind, err)
			}
		}
		if _, err := replay(t, k, "raw-missing").Raw(t.Context(), QPs, 0, 0xffff00, rdma.Known(uint32(1))); !errors.Is(err, ErrNoObject) {
			t.Errorf("%s, a number that nothing has: %v", k, err)
		}
		c := conn(&script{answers: [][][]byte{datagrams(t, k, "raw-cq"), datagrams(t, k, "get-missing")}})
		if _, err := c.Raw(t.Context(), CQs, 0, 1, rdma.Opt[uint32]{}); !errors.Is(err, ErrNoDevice) {
			t.Errorf("%s, a device that is not there: %v", k, err)
		}
	}
	if _, err := conn().Raw(t.Context(), PDs, 0, 1, rdma.Opt[uint32]{}); !errors.Is(err, ErrNoRaw) || HasRaw(PDs) {
		t.Errorf("a kind without raw records: %v", err)
	}
}

// rawAnswer is laid out as nldev.c does it: the device, and then what the driver
// put.
func rawAnswer(record []byte) []byte {
	return message(clientNLDev<<10|cmdResQPGetRaw, 0, attributes(
		nl.NewRtAttr(attrDevIndex, nl.Uint32Attr(3)), nl.NewRtAttr(attrDevName, nl.ZeroTerminated("mlx5_0")), nl.NewRtAttr(attrResRaw, record)))
}

// What the driver hands out comes back octet by octet, and the kernel is asked for
// one object, a queue pair at its port.
func TestRaw(t *testing.T) {
	record := []byte{0, 4, 0xff, 0xfe, 0, 0, 16}
	u32 := func(typ int, v uint32) *nl.RtAttr { return nl.NewRtAttr(typ, nl.Uint32Attr(v)) }
	for kind, want := range map[ObjectKind]struct {
		op    uint16
		attrs []*nl.RtAttr
	}{
		QPs: {19, []*nl.RtAttr{u32(1, 3), u32(21, 178), u32(3, 2)}}, CQs: {20, []*nl.RtAttr{u32(1, 3), u32(61, 178)}},
		MRs: {21, []*nl.RtAttr{u32(1, 3), u32(62, 178)}}, SRQs: {25, []*nl.RtAttr{u32(1, 3), u32(90, 178)}},
	} {
		s := &script{answers: [][][]byte{{rawAnswer(record)}}}
		got, err := conn(s).Raw(t.Context(), kind, 3, 178, rdma.Known(uint32(2)))
		if err != nil || !slices.Equal(got, record) {
			t.Errorf("%s: %x, %v", kind, got, err)
		}
		sent := s.sent[0].Serialize()[unix.SizeofNlMsghdr:]
		if s.sent[0].Type&0x3ff != want.op || !bytes.Equal(sent, attributes(want.attrs...)) || s.sent[0].Flags&unix.NLM_F_DUMP == unix.NLM_F_DUMP {
			t.Errorf("%s: operation %d with %x", kind, s.sent[0].Type&0x3ff, sent)
		}
	}
	empty := &script{answers: [][][]byte{{rawAnswer(nil)}}}
	if got, err := conn(empty).Raw(t.Context(), CQs, 3, 1, rdma.Opt[uint32]{}); err != nil || got == nil || len(got) > 0 {
		t.Errorf("a record of nothing: %v, %v", got, err)
	}
	none := message(clientNLDev<<10|cmdResCQGetRaw, 0, attributes(u32(1, 3)))
	if _, err := conn(&script{answers: [][][]byte{{none}}}).Raw(t.Context(), CQs, 3, 1, rdma.Opt[uint32]{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("no record: %v", err)
	}
}

// No driver of the lab counts anything of a region; this is how mlx5 does
// (fill_stat_mr_entry in drivers/infiniband/hw/mlx5/restrack.c).
func TestMRCounters(t *testing.T) {
	for _, k := range kernels {
		list, err := replay(t, k, "stat-mr-dump").MRCounters(t.Context(), 0)
		if err != nil || !reflect.DeepEqual(list, []MRCounters{{MRN: rdma.Known(uint32(0))}}) {
			t.Errorf("%s: %+v, %v", k, list, err)
		}
	}
	table := nl.NewRtAttr(attrStatHWCounters, nil)
	table.AddChild(hwCounter("page_faults", 1<<63))
	table.AddChild(hwCounter("page_invalidations", 0))
	got, err := decode[MRCounters](attributes(nl.NewRtAttr(attrResMRN, nl.Uint32Attr(7)), table))
	want := MRCounters{rdma.Known(uint32(7)), []Counter{{"page_faults", 1 << 63}, {"page_invalidations", 0}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzRaw(f *testing.F) {
	f.Add(rawAnswer([]byte{1, 2, 3})[unix.SizeofNlMsghdr:])
	f.Fuzz(func(t *testing.T, payload []byte) {
		raw, err := decodeRaw(payload)
		checkFuzzed(t, err)
		if err == nil && raw == nil {
			t.Errorf("%x: neither a record nor an error", payload)
		}
	})
}
