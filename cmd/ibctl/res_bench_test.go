package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/procfs"
	"github.com/ibctl/ibctl/internal/resources"
	"github.com/ibctl/ibctl/internal/schematest"
)

// recordedQPs are the datagrams of a dump of n QPs: an entry that a kernel sent,
// with other numbers and with the owner pid, some twenty in a message.
func recordedQPs(tb testing.TB, n, pid int) [][]byte {
	tb.Helper()
	const lqpn, owner = 21, 28 // RDMA_NLDEV_ATTR_RES_LQPN, _RES_PID
	entry := recordedQPEntry(tb)
	var all [][]byte
	for numbers := range slices.Chunk(sequence(n), 20) {
		var entries []byte
		for _, number := range numbers {
			one := slices.Clone(entry)
			set(tb, one, lqpn, uint32(number))
			set(tb, one, owner, uint32(pid))
			entries = append(entries, attribute(20, one)...) // RES_QP_ENTRY
		}
		all = append(all, netlinkMessage(5<<10|10, attribute(19, entries))) // RES_QP
	}
	return append(all, netlinkMessage(unix.NLMSG_DONE, make([]byte, 4)))
}

func sequence(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

// recordedQPEntry is the first QP of a process that was recorded.
func recordedQPEntry(tb testing.TB) []byte {
	tb.Helper()
	f, err := os.Open("../../internal/nldev/testdata/res/7.3.txt")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		payload, err := hex.DecodeString(text)
		if name != "QP" || err != nil {
			continue
		}
		table := payload[attributeAt(payload, 19):]
		entries := table[4:binary.NativeEndian.Uint16(table)]
		for len(entries) > 0 {
			size := int(binary.NativeEndian.Uint16(entries))
			if entry := entries[4:size]; attributeAt(entry, 28) >= 0 {
				return entry
			}
			entries = entries[min((size+3)&^3, len(entries)):]
		}
	}
	tb.Fatal("no QP was recorded")
	return nil
}

// attributeAt is where an attribute of that type begins, or -1.
func attributeAt(b []byte, typ uint16) int {
	for at := 0; at+4 <= len(b); {
		if binary.NativeEndian.Uint16(b[at+2:])&0x3fff == typ {
			return at
		}
		at += (int(binary.NativeEndian.Uint16(b[at:])) + 3) &^ 3
	}
	return -1
}

func set(tb testing.TB, entry []byte, typ uint16, value uint32) {
	at := attributeAt(entry, typ)
	if at < 0 {
		tb.Fatalf("the recorded QP has no attribute %d", typ)
	}
	binary.NativeEndian.PutUint32(entry[at+4:], value)
}

func attribute(typ uint16, data []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(data)))
	b = append(binary.NativeEndian.AppendUint16(b, typ), data...)
	return append(b, make([]byte, -len(b)&3)...)
}

func netlinkMessage(typ uint16, payload []byte) []byte {
	b := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(payload))
	binary.NativeEndian.PutUint32(b, uint32(unix.SizeofNlMsghdr+len(payload)))
	binary.NativeEndian.PutUint16(b[4:], typ)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_MULTI)
	return append(b, payload...)
}

// printQPs does what ibctl res qp does once it has found the device.
func printQPs(ctx context.Context, reader *resources.Reader, format output.Format, out io.Writer) (int, error) {
	d := rdma.Device{Name: "rxea", Index: rdma.Known(uint32(0))}
	reader.Forget()
	all, err := reader.List(ctx, resources.QP, d)
	if err != nil {
		return 0, err
	}
	items := make([]resources.Attrs, len(all))
	for i, o := range all {
		items[i] = o.Attrs
	}
	p := output.Printer{Out: out, Err: io.Discard, Format: format}
	return len(items), output.Print(p, objectView(resources.QP, false).result(items, nil))
}

// BenchmarkResQP is ibctl res qp from the kernel's messages to the printed text.
func BenchmarkResQP(b *testing.B) {
	collectSeldom() // as the verb does
	for _, format := range []output.Format{output.Table, output.JSON} {
		for _, n := range []int{1000, 10000, 40000} {
			b.Run(fmt.Sprintf("%s/%d", format, n), func(b *testing.B) {
				answers := recordedQPs(b, n, os.Getpid())
				reader := resources.NewReader(nldev.Replay(func(uint16) [][]byte { return answers }), procfs.Live(), resources.Options{})
				b.ReportAllocs()
				before := processorTime(b)
				for b.Loop() {
					if got, err := printQPs(b.Context(), reader, format, io.Discard); err != nil || got != n {
						b.Fatalf("%d QPs, %v", got, err)
					}
				}
				b.ReportMetric(float64(processorTime(b)-before)/1e6/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// processorTime is what the process has used up so far, in nanoseconds: on a busy
// machine it tells more than the clock.
func processorTime(b *testing.B) int64 {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// TestResQPOfManyIsWhole: nothing is lost between the kernel's messages and the
// document, which is valid.
func TestResQPOfManyIsWhole(t *testing.T) {
	const n = 2000
	answers := recordedQPs(t, n, os.Getpid())
	reader := resources.NewReader(nldev.Replay(func(uint16) [][]byte { return answers }), procfs.Live(), resources.Options{})
	var out strings.Builder
	if got, err := printQPs(t.Context(), reader, output.JSON, &out); err != nil || got != n {
		t.Fatalf("%d QPs, %v", got, err)
	}
	if lines := strings.Count(out.String(), `"lqpn":`); lines != n {
		t.Errorf("%d QPs in the document, want %d", lines, n)
	}
	if err := schematest.Validate("QPList", []byte(out.String())); err != nil {
		t.Error(err)
	}
}
