package bench_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// inBatch is how many lines the batch has that a line's cost is taken from.
const inBatch = 1000

// BenchmarkGIDShow asks for a GID table by a process of its own each time, and as
// a line of a batch. What is reported is the time of one question. The tables are
// of a captured tree, which takes longer to read than the kernel's own.
func BenchmarkGIDShow(b *testing.B) {
	ibctl, root := binary(b), tree(b, 1)
	ask := func(b *testing.B, stdin string, words ...string) {
		b.Helper()
		cmd := exec.Command(ibctl, append([]string{"--root", root}, words...)...)
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil || bytes.Count(out, []byte("RoCE v2")) == 0 && !bytes.Contains(out, []byte(" v2 ")) {
			b.Fatalf("ibctl %s: %v\n%s", strings.Join(words, " "), err, out)
		}
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			ask(b, "", "gid", "show", "mlx5_0")
		}
	})
	b.Run("in a batch", func(b *testing.B) {
		lines := strings.Repeat("gid show mlx5_0\n", inBatch)
		for b.Loop() {
			ask(b, lines, "batch", "-")
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*inBatch), "ns/op")
	})
}
