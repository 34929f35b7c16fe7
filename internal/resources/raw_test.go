package resources

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"testing"

	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/procfs"
)

// rawAnswer is what a driver's record comes in: RDMA_NLDEV_ATTR_RES_RAW (85) in an
// answer to op (drivers/infiniband/core/nldev.c).
func rawAnswer(op uint16, record []byte) []byte {
	attr := binary.NativeEndian.AppendUint16(nil, uint16(4+len(record)))
	attr = append(binary.NativeEndian.AppendUint16(attr, 85), record...)
	attr = append(attr, make([]byte, -len(attr)&3)...)
	m := binary.NativeEndian.AppendUint32(nil, uint32(16+len(attr)))
	m = binary.NativeEndian.AppendUint16(m, 5<<10|op)
	return append(append(m, make([]byte, 10)...), attr...)
}

// TestAddRaw: each object gets its record, octet by octet.
func TestAddRaw(t *testing.T) {
	nl := nldev.Replay(func(op uint16) [][]byte { return [][]byte{rawAnswer(op, []byte{0, 0x10, 0xff})} })
	all := []Object{object(CQ, "device", "rxe0", "cqn", uint64(1)), object(CQ, "device", "rxe0")}
	if err := NewReader(nl, procfs.Live(), Options{}).AddRaw(t.Context(), rxe0, all); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(all[0].Attrs)
	if want := `{"device":"rxe0","cqn":1,"raw":"0010ff"}`; err != nil || string(text) != want || all[0].Text(RawKey) != "0010ff" {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
	if _, ok := all[1].Get(RawKey); ok {
		t.Errorf("one without a number got a record: %v", all[1])
	}
}

// TestNoRaw: what soft RoCE answered, and that no object is lost by it.
func TestNoRaw(t *testing.T) {
	all := []Object{object(CQ, "device", "rxe0", "cqn", uint64(1))}
	nl := nldev.Replay(func(op uint16) [][]byte {
		if op == 1 { // the device is there
			return recordedAnswers(t, "7.x")["get-one"]
		}
		return recordedAnswers(t, "7.x")["raw-cq"]
	})
	err := NewReader(nl, procfs.Live(), Options{}).AddRaw(t.Context(), rxe0, all)
	if _, ok := all[0].Get(RawKey); !errors.Is(err, ErrNoRaw) || ok || len(all[0].Attrs) != 2 {
		t.Errorf("%v, %v", err, all)
	}
	for _, k := range Kinds() {
		if has := nldev.HasRaw(nldev.ObjectKind(k)); has != (k == QP || k == CQ || k == MR || k == SRQ) {
			t.Errorf("%s: raw records: %t", k, has)
		}
	}
}
