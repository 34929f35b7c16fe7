package nldev

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// The recorded device has what ibv_srq_pingpong -q 2 makes, and the kernel's own
// for management datagrams.
func TestRecordedSummary(t *testing.T) {
	want := map[string]uint64{"pd": 2, "cq": 2, "qp": 3, "cm_id": 0, "mr": 1, "ctx": 1, "srq": 1}
	limits := map[string]uint64{"pd": 0x100000, "cq": 0x100000, "qp": 0xffff0, "mr": 0x7ffff, "srq": 0xdffff}
	for _, k := range kernels {
		got, err := replay(t, k, "res-get").Resources(t.Context(), 0)
		if k == "7.x" { // it counts one kind more, and tells limits
			last := got[len(got)-1]
			got = got[:len(got)-1]
			if last != (ResourceCount{Kind: "comp_cntr"}) {
				t.Errorf("%s: %+v", k, last)
			}
		}
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %v, %v; want %v", k, got, err, want)
		}
		for _, n := range got {
			if count, known := want[n.Kind]; !known || n.Count != count {
				t.Errorf("%s: %+v, want %d", k, n, count)
			}
			if limit, known := n.Max.Get(); known != (k == "7.x" && limits[n.Kind] > 0) || known && limit != limits[n.Kind] {
				t.Errorf("%s: %+v, want a limit of %d", k, n, limits[n.Kind])
			}
		}
	}
}

func TestRecordedObjects(t *testing.T) {
	for _, k := range kernels {
		for _, tt := range []struct {
			kind                  ObjectKind
			processes, kernels    int
			ofContext, withNumber bool
		}{
			{kind: Contexts, processes: 1, withNumber: true},
			{kind: PDs, processes: 1, kernels: 1, ofContext: true, withNumber: true},
			{kind: CQs, processes: 1, kernels: 1, ofContext: true, withNumber: true},
			{kind: MRs, processes: 1, withNumber: true},
			{kind: SRQs, processes: 1, withNumber: true},
		} {
			all, err := replay(t, k, "res-"+string(tt.kind)).Objects(t.Context(), tt.kind, 0)
			if err != nil || len(all) != tt.processes+tt.kernels {
				t.Errorf("%s %s: %+v, %v", k, tt.kind, all, err)
				continue
			}
			byKernel := 0
			for _, o := range all {
				if o.Owner.Kernel == "ib_core" && !o.Owner.PID.IsKnown() {
					byKernel++
				} else if o.Owner.Kernel != "" || o.Owner.PID.Or(0) == 0 || o.Context.IsKnown() != tt.ofContext {
					t.Errorf("%s %s: %+v", k, tt.kind, o)
				}
				if o.Number.IsKnown() != tt.withNumber {
					t.Errorf("%s %s: %+v", k, tt.kind, o)
				}
			}
			if byKernel != tt.kernels {
				t.Errorf("%s %s: %d of the kernel, want %d", k, tt.kind, byKernel, tt.kernels)
			}
		}
	}
}

// A kernel before 5.13 does not know the operation and says EINVAL, as it does
// for a device that it does not have.
func TestObjectsOfAnOldKernel(t *testing.T) {
	old := func(get string) *Conn {
		return conn(&script{answers: [][][]byte{datagrams(t, "6.1", "port-missing"), datagrams(t, "6.1", get)}})
	}
	_, err := old("get-one").Objects(t.Context(), Contexts, 0)
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) || unsupported.Since != "5.13" || errors.Is(err, ErrNoDevice) {
		t.Errorf("the device exists: %v", err)
	}
	if _, err := old("get-missing").Objects(t.Context(), Contexts, 0); !errors.Is(err, ErrNoDevice) || errors.Is(err, ErrUnsupported) {
		t.Errorf("the device does not: %v", err)
	}
}

func TestSummaryWithoutNumber(t *testing.T) {
	entry := attrBytes(attrResSummary+1, attrBytes(attrResSummaryName, []byte("qp\x00")))
	if got, err := decodeSummary(attrBytes(attrResSummary, entry)); !errors.Is(err, ErrMalformed) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestChanges(t *testing.T) {
	index := uint32(3)
	for _, tt := range []struct {
		name string
		do   func(*Conn) error
		op   uint16
		want [][]byte // attributes
	}{
		{"add link", func(c *Conn) error { return c.AddLink(t.Context(), "rxe0", "rxe", "eth0") }, cmdNewLink, [][]byte{
			attrBytes(attrDevName, []byte("rxe0\x00")), attrBytes(attrLinkType, []byte("rxe\x00")), attrBytes(attrNetdevName, []byte("eth0\x00"))}},
		{"delete link", func(c *Conn) error { return c.DeleteLink(t.Context(), index) }, cmdDelLink, [][]byte{attrBytes(attrDevIndex, []byte{3, 0, 0, 0})}},
		{"delete sub-device", func(c *Conn) error { return c.DeleteSubDevice(t.Context(), index) }, cmdDelDev, [][]byte{attrBytes(attrDevIndex, []byte{3, 0, 0, 0})}},
		{"rename", func(c *Conn) error { return c.Rename(t.Context(), index, "hca0") }, cmdSet, [][]byte{
			attrBytes(attrDevIndex, []byte{3, 0, 0, 0}), attrBytes(attrDevName, []byte("hca0\x00"))}},
		{"namespace", func(c *Conn) error { return c.SetNetns(t.Context(), index, 9) }, cmdSet, [][]byte{
			attrBytes(attrDevIndex, []byte{3, 0, 0, 0}), attrBytes(attrNetnsFD, []byte{9, 0, 0, 0})}},
		{"moderation on", func(c *Conn) error { return c.SetAdaptiveModeration(t.Context(), index, true) }, cmdSet, [][]byte{
			attrBytes(attrDevIndex, []byte{3, 0, 0, 0}), attrBytes(attrDevDIM, []byte{1})}},
		{"moderation off", func(c *Conn) error { return c.SetAdaptiveModeration(t.Context(), index, false) }, cmdSet, [][]byte{
			attrBytes(attrDevIndex, []byte{3, 0, 0, 0}), attrBytes(attrDevDIM, []byte{0})}},
	} {
		kernel := &script{answers: [][][]byte{datagrams(t, "6.12", "dim-off")}}
		if err := tt.do(conn(kernel)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		raw := kernel.sent[0].Serialize()
		if typ := kernel.sent[0].Type; typ != clientNLDev<<10|tt.op {
			t.Errorf("%s: message type %#x", tt.name, typ)
		}
		if kernel.sent[0].Flags&unix.NLM_F_ACK == 0 {
			t.Errorf("%s asks for no acknowledgement", tt.name)
		}
		if got := raw[unix.SizeofNlMsghdr:]; !slices.Equal(got, slices.Concat(tt.want...)) {
			t.Errorf("%s: % x", tt.name, got)
		}
	}
}

func TestRefusedChange(t *testing.T) {
	for _, k := range kernels {
		err := replay(t, k, "dellink-missing").DeleteLink(t.Context(), 0x7ffffff0)
		var refused *Error
		if !errors.As(err, &refused) || refused.Errno != unix.EINVAL || refused.Op != "DELLINK" || refused.Object != "#2147483632" {
			t.Errorf("%s: %v", k, err)
		}
	}
}

func TestAdaptiveModeration(t *testing.T) {
	for _, k := range kernels {
		d, err := replay(t, k, "get-one").Device(t.Context(), 0)
		if err != nil || d.AdaptiveModeration != rdma.Known(false) {
			t.Errorf("%s: %+v, %v", k, d.AdaptiveModeration, err)
		}
	}
}

func FuzzObjects(f *testing.F) {
	for _, k := range kernels {
		for _, name := range []string{"res-get", "res-ctx", "res-pd", "res-cq", "res-mr", "res-srq"} {
			for _, p := range payloads(f, k, name) {
				f.Add(p)
			}
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		counts, err := decodeSummary(payload)
		checkFuzzed(t, err)
		for _, n := range counts {
			if n.Kind == "" {
				t.Errorf("a count without name: %v", counts)
			}
		}
		checkTable(t, payload, attrResCQ, decode[CQ])
		checkTable(t, payload, attrResMR, decode[MR])
		checkTable(t, payload, attrResPD, decode[PD])
		checkTable(t, payload, attrResCtx, decode[Context])
		checkTable(t, payload, attrResSRQ, decode[SRQ])
		for _, how := range objectDumps {
			checkFuzzed(t, eachEntry(payload, how.table, func(entry []byte) error {
				_, err := decodeObject(entry, how.number)
				return err
			}))
		}
	})
}

func checkTable[T any](t *testing.T, payload []byte, table uint16, decode func([]byte) (T, error)) {
	t.Helper()
	checkFuzzed(t, eachEntry(payload, table, func(entry []byte) error {
		_, err := decode(entry)
		return err
	}))
}
