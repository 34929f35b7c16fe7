package nldev

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// recordedQP is a QP entry as a kernel sent it.
func recordedQP(t testing.TB) []byte {
	t.Helper()
	var entry []byte
	if err := eachEntry(recordedRes(t, "7.3", "QP")[0], attrResQP, func(e []byte) error { entry = e; return nil }); err != nil {
		t.Fatal(err)
	}
	return entry
}

// manyQPs are the datagrams of a dump of n QPs: the recorded one with other
// numbers, as many in a message as the kernel puts there.
func manyQPs(t testing.TB, n int, flags uint16) [][]byte {
	t.Helper()
	const page = 4096 // NLMSG_GOODSIZE, about
	entry := recordedQP(t)
	var all [][]byte
	var entries []byte
	flush := func() {
		payload := slices.Concat(attrBytes(attrDevIndex, u32Bytes(0)), attrBytes(attrDevName, []byte("rxea\x00")), attrBytes(attrResQP, entries))
		all = append(all, message(clientNLDev<<10|cmdResQPGet, unix.NLM_F_MULTI|flags, payload))
		entries = nil
	}
	for i := range n {
		if len(entries)+len(entry)+64 > page {
			flush()
		}
		entries = append(entries, attrBytes(attrResQP+1, withNumber(entry, uint32(i+1)))...)
	}
	flush()
	return append(all, message(unix.NLMSG_DONE, unix.NLM_F_MULTI|flags, u32Bytes(0)))
}

// withNumber returns an entry with another LQPN.
func withNumber(entry []byte, number uint32) []byte {
	var out []byte
	_ = eachAttr(entry, func(a attr) error { // it was read before
		if a.typ == attrResLQPN {
			a.data = u32Bytes(number)
		}
		out = append(out, attrBytes(a.typ, a.data)...)
		return nil
	})
	return out
}

func TestManyQPs(t *testing.T) {
	const n = 10000
	qps, err := conn(&script{answers: [][][]byte{manyQPs(t, n, 0)}}).QPs(t.Context(), 0)
	if err != nil || len(qps) != n {
		t.Fatalf("%d QPs, %v", len(qps), err)
	}
	for i, qp := range qps {
		if qp.LQPN != uint32(i+1) || !qp.State.IsKnown() || !qp.Owner.PID.IsKnown() && qp.Owner.Kernel == "" {
			t.Fatalf("QP %d: %+v", i, qp)
		}
	}
}

// A dump under which the list changed is begun anew, and what it had brought is
// forgotten.
func TestInterruptedDumpOfResources(t *testing.T) {
	torn, whole := manyQPs(t, 300, unix.NLM_F_DUMP_INTR), manyQPs(t, 200, 0)
	kernel := &script{answers: [][][]byte{torn, torn, whole}}
	qps, err := conn(kernel).QPs(t.Context(), 0)
	if err != nil || len(qps) != 200 || len(kernel.sent) != 3 {
		t.Errorf("%d QPs after %d dumps, %v", len(qps), len(kernel.sent), err)
	}
	restless := &script{answers: slices.Repeat([][][]byte{torn}, maxDumps+1)}
	if _, err := conn(restless).QPs(t.Context(), 0); !errors.Is(err, ErrInterrupted) || len(restless.sent) != maxDumps {
		t.Errorf("after %d dumps: %v", len(restless.sent), err)
	}
}

// TestMemoryIsLinear: four times as many QPs take four times the memory, give or
// take the growing of a slice.
func TestMemoryIsLinear(t *testing.T) {
	few, many := allocated(t, 10000), allocated(t, 40000)
	t.Logf("10,000 QPs: %d octets; 40,000 QPs: %d", few, many)
	if many > 6*few || many < 2*few {
		t.Errorf("10,000 QPs take %d octets, 40,000 take %d", few, many)
	}
}

// allocated is how much a dump of n QPs allocates, the receiving of it apart.
func allocated(t *testing.T, n int) uint64 {
	t.Helper()
	var payloads [][]byte
	for _, raw := range manyQPs(t, n, 0) {
		payloads = append(payloads, raw[unix.SizeofNlMsghdr:])
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var all []QP
	for _, p := range payloads[:len(payloads)-1] {
		err := eachEntry(p, attrResQP, func(entry []byte) error {
			qp, err := decodeQP(entry)
			all = append(all, qp)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(all)
	return after.TotalAlloc - before.TotalAlloc
}

// BenchmarkQPs decodes dumps through the whole of the package.
func BenchmarkQPs(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			answers := manyQPs(b, n, 0)
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				qps, err := conn(&script{answers: [][][]byte{answers}}).QPs(b.Context(), 0)
				if err != nil || len(qps) != n {
					b.Fatalf("%d QPs, %v", len(qps), err)
				}
				if took := time.Since(start); n == 10000 && took > 100*time.Millisecond {
					b.Logf("10,000 QPs took %v", took)
				}
			}
		})
	}
}
