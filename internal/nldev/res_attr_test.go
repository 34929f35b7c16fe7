package nldev

import (
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

func u32Bytes(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
func u64Bytes(v uint64) []byte { return binary.NativeEndian.AppendUint64(nil, v) }

// The recorded objects are those of ibv_srq_pingpong -q 2, which had pid 122 on
// 7.x, and the kernel's own.
func TestRecordedResources(t *testing.T) {
	const k = "7.x"
	ctx := t.Context()
	own := Owner{PID: rdma.Known(uint32(122))}
	core := Owner{Kernel: "ib_core"}
	cqs, err := replay(t, k, "res-cq").CQs(ctx, 0)
	same(t, cqs, []CQ{
		{CQN: rdma.Known(uint32(0)), CQE: rdma.Known(uint32(1023)), Users: rdma.Known(uint64(2)), PollContext: rdma.Known(PollContext(2)),
			AdaptiveModeration: rdma.Known(false), Owner: core},
		{CQN: rdma.Known(uint32(1)), CQE: rdma.Known(uint32(511)), Users: rdma.Known(uint64(4)),
			AdaptiveModeration: rdma.Known(false), CTXN: rdma.Known(uint32(0)), Owner: own},
	}, err)
	mrs, err := replay(t, k, "res-mr").MRs(ctx, 0)
	same(t, mrs, []MR{{MRN: rdma.Known(uint32(0)), RKey: rdma.Known(uint32(0x207)), LKey: rdma.Known(uint32(0x207)),
		Length: rdma.Known(uint64(4096)), PDN: rdma.Known(uint32(1)), Owner: own}}, err)
	pds, err := replay(t, k, "res-pd").PDs(ctx, 0)
	same(t, pds, []PD{
		{PDN: rdma.Known(uint32(0)), LocalDMALKey: rdma.Known(uint32(0x1e9)), Users: rdma.Known(uint64(1)), Owner: core},
		{PDN: rdma.Known(uint32(1)), LocalDMALKey: rdma.Known(uint32(0)), Users: rdma.Known(uint64(4)), CTXN: rdma.Known(uint32(0)), Owner: own},
	}, err)
	contexts, err := replay(t, k, "res-ctx").UserContexts(ctx, 0)
	same(t, contexts, []Context{{CTXN: rdma.Known(uint32(0)), Owner: own}}, err)
	srqs, err := replay(t, k, "res-srq").SRQs(ctx, 0)
	same(t, srqs, []SRQ{{SRQN: rdma.Known(uint32(0)), Type: rdma.Known(SRQType(0)), PDN: rdma.Known(uint32(1)),
		QPs: []Range{{17, 18}}, Owner: own}}, err)
}

func same[T any](t *testing.T, got, want []T, err error) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// All kernels tell the same of the same objects, but for the process and the keys.
func TestRecordedResourcesAreAlike(t *testing.T) {
	for _, k := range kernels {
		mrs, err := replay(t, k, "res-mr").MRs(t.Context(), 0)
		if err != nil || len(mrs) != 1 || mrs[0].Length != rdma.Known(uint64(4096)) || !mrs[0].RKey.IsKnown() || mrs[0].IOVA.IsKnown() {
			t.Errorf("%s: %+v, %v", k, mrs, err)
		}
		srqs, err := replay(t, k, "res-srq").SRQs(t.Context(), 0)
		if err != nil || len(srqs) != 1 || len(srqs[0].QPs) != 1 || srqs[0].QPs[0].Last-srqs[0].QPs[0].First != 1 {
			t.Errorf("%s: %+v, %v", k, srqs, err)
		}
	}
}

// No number loses a bit, signed or not.
func TestNumbersKeepTheirBits(t *testing.T) {
	mr, err := decode[MR](slices.Concat(
		attrBytes(attrResRKey, u32Bytes(math.MaxUint32)), attrBytes(attrResIOVA, u64Bytes(math.MaxUint64)),
		attrBytes(attrResMRLen, u64Bytes(1<<40+1)), attrBytes(attrDriver, slices.Concat(
			attrBytes(attrDriverString, []byte("big\x00")), attrBytes(attrDriverPrintType, []byte{1}), attrBytes(attrDriverU64, u64Bytes(math.MaxUint64)),
			attrBytes(attrDriverString, []byte("low\x00")), attrBytes(attrDriverS64, u64Bytes(1<<63)),
			attrBytes(attrDriverString, []byte("small\x00")), attrBytes(attrDriverS32, u32Bytes(math.MaxUint32)),
			attrBytes(attrDriverString, []byte("depth\x00")), attrBytes(attrDriverU32, u32Bytes(math.MaxUint32)),
			attrBytes(attrDriverString, []byte("state\x00")), attrBytes(attrDriverString, []byte("IDLE\x00")),
		))))
	if err != nil {
		t.Fatal(err)
	}
	want := MR{RKey: rdma.Known(uint32(math.MaxUint32)), IOVA: rdma.Known(uint64(math.MaxUint64)), Length: rdma.Known(uint64(1<<40 + 1)),
		Driver: Driver{
			{Name: "big", Unsigned: rdma.Known(uint64(math.MaxUint64)), Hex: true},
			{Name: "low", Signed: rdma.Known(int64(math.MinInt64))},
			{Name: "small", Signed: rdma.Known(int64(-1))},
			{Name: "depth", Unsigned: rdma.Known(uint64(math.MaxUint32))},
			{Name: "state", Text: rdma.Known("IDLE")},
		}}
	if !reflect.DeepEqual(mr, want) {
		t.Errorf("got %+v\nwant %+v", mr, want)
	}
}

func TestMalformedTables(t *testing.T) {
	for name, entry := range map[string][]byte{
		"driver attribute without value": attrBytes(attrDriver, attrBytes(attrDriverString, []byte("x\x00"))),
		"driver attribute with another":  attrBytes(attrDriver, slices.Concat(attrBytes(attrDriverString, []byte("x\x00")), attrBytes(attrResPDN, u32Bytes(1)))),
		"short driver value":             attrBytes(attrDriver, slices.Concat(attrBytes(attrDriverString, []byte("x\x00")), attrBytes(attrDriverU64, u32Bytes(1)))),
		"QPs from nowhere":               attrBytes(attrResQP, attrBytes(attrResQP+1, attrBytes(attrMaxRange, u32Bytes(1)))),
		"QPs backwards":                  attrBytes(attrResQP, attrBytes(attrResQP+1, slices.Concat(attrBytes(attrMinRange, u32Bytes(2)), attrBytes(attrMaxRange, u32Bytes(1))))),
		"no QPs":                         attrBytes(attrResQP, attrBytes(attrResCQ, nil)),
	} {
		if s, err := decode[SRQ](entry); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestQPAttributes(t *testing.T) {
	qp, err := decodeQP(slices.Concat(
		attrBytes(attrResLQPN, u32Bytes(0xffffff)), attrBytes(attrResPathMig, []byte{0}), attrBytes(attrResSubtype, []byte("REG_UMR\x00")),
		attrBytes(attrResType, []byte{255}), attrBytes(attrResSQPSN, u32Bytes(7))))
	mig, _ := qp.PathMig.Get()
	typ, _ := qp.Type.Get()
	if err != nil || qp.LQPN != 0xffffff || mig.String() != "MIGRATED" || qp.Subtype != "REG_UMR" || typ.String() != "DRIVER" || qp.RQPN.IsKnown() {
		t.Errorf("%+v, %v", qp, err)
	}
}

func TestSRQOfScatteredQPs(t *testing.T) {
	one := func(attrs ...[]byte) []byte { return attrBytes(attrResQP+1, slices.Concat(attrs...)) }
	s, err := decode[SRQ](attrBytes(attrResQP, slices.Concat(
		one(attrBytes(attrResLQPN, u32Bytes(5))), one(attrBytes(attrMinRange, u32Bytes(8)), attrBytes(attrMaxRange, u32Bytes(11))))))
	if err != nil || !slices.Equal(s.QPs, []Range{{5, 5}, {8, 11}}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// DriverObjects asks for more in the same request.
func TestDriverObjects(t *testing.T) {
	kernel := &script{answers: [][][]byte{datagrams(t, "7.x", "res-cq")}}
	if _, err := conn(kernel).CQs(t.Context(), 3, DriverObjects); err != nil {
		t.Fatal(err)
	}
	raw := kernel.sent[0].Serialize()[16:]
	if want := slices.Concat(attrBytes(attrDevIndex, u32Bytes(3)), attrBytes(attrDriverDetails, []byte{1})); !slices.Equal(raw, want) {
		t.Errorf("% x, want % x", raw, want)
	}
}
