package nldev

import (
	"slices"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestPortCapMask2(t *testing.T) {
	answer := message(clientNLDev<<10|cmdPortGet, 0, attrBytes(attrCapFlags, u64Bytes(0x0000_0434_2651_e848)))
	kernel := &script{answers: [][][]byte{{answer}}}
	mask, err := conn(kernel).PortCapMask2(t.Context(), 3, 1)
	if err != nil || mask != rdma.Known(uint32(0x434)) {
		t.Errorf("%v, %v", mask, err)
	}
	if raw := kernel.sent[0].Serialize()[16:]; !slices.Equal(raw, slices.Concat(attrBytes(attrDevIndex, u32Bytes(3)), attrBytes(attrPortIndex, u32Bytes(1)))) {
		t.Errorf("asked % x", raw)
	}
	for _, k := range kernels { // of soft RoCE the kernel does not tell
		if mask, err := conn(&script{answers: [][][]byte{payloadDatagrams(t, k, "port-dump")}}).PortCapMask2(t.Context(), 0, 1); err != nil || mask.IsKnown() {
			t.Errorf("%s: %v, %v", k, mask, err)
		}
	}
}

// payloadDatagrams are the recorded answers of a dump, as to a single question.
func payloadDatagrams(t *testing.T, kernel, name string) [][]byte {
	var all [][]byte
	for _, p := range payloads(t, kernel, name) {
		all = append(all, message(clientNLDev<<10|cmdPortGet, 0, p))
	}
	return all
}
