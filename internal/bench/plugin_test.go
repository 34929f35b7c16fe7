package bench_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/internal/bench"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// binary returns the ibctl to measure. A test binary in its place would carry
// package testing, and start more slowly.
func binary(b *testing.B) string {
	b.Helper()
	path := os.Getenv("IBCTL")
	if path == "" {
		b.Skip("IBCTL does not say which binary to measure; make bench does")
	}
	return path
}

// builtin is a client that is part of the binary.
func builtin(b *testing.B, name string) supervisor.Spec {
	b.Helper()
	return supervisor.Spec{Name: name, Path: binary(b), Args: plugin.ServeArgs(name)[1:]}
}

// reading is a built-in client that reads a copied tree.
func reading(b *testing.B, name, root string) supervisor.Spec {
	b.Helper()
	spec := builtin(b, name)
	spec.Config = fmt.Appendf(nil, `{"root": %q}`, root)
	return spec
}

func newSupervisor(b *testing.B) *supervisor.Supervisor {
	b.Helper()
	s, err := supervisor.New(supervisor.Config{RunDir: shortDir(b)})
	must(b, err)
	b.Cleanup(s.Close)
	return s
}

// shortDir makes a temporary directory in which a socket has room; b.TempDir's
// path may be too long.
func shortDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "bench")
	must(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func start(b *testing.B, s *supervisor.Supervisor, spec supervisor.Spec) *supervisor.Plugin {
	b.Helper()
	p, err := s.Start(b.Context(), spec)
	must(b, err)
	return p
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// report gives the quantiles of times taken within the loop, instead of the time
// that the loop took.
func report(b *testing.B, took bench.Series) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took.Median(), "ms-p50")
	b.ReportMetric(took.Quantile(0.99), "ms-p99")
}

func since(start time.Time) float64 { return float64(time.Since(start)) / float64(time.Millisecond) }

// BenchmarkPluginColdStart is from before the fork to the replies to Info and
// Configure: the process is ready for devices.
func BenchmarkPluginColdStart(b *testing.B) {
	s, spec := newSupervisor(b), builtin(b, "roce")
	var took bench.Series
	for b.Loop() {
		before := time.Now()
		p := start(b, s, spec)
		took = append(took, since(before))
		must(b, p.Stop(b.Context()))
	}
	report(b, took)
}

// BenchmarkPluginStop is the end of a process that drives nothing.
func BenchmarkPluginStop(b *testing.B) {
	s, spec := newSupervisor(b), builtin(b, "roce")
	var took bench.Series
	for b.Loop() {
		p := start(b, s, spec)
		before := time.Now()
		must(b, p.Stop(b.Context()))
		took = append(took, since(before))
	}
	report(b, took)
}

// BenchmarkPluginRemove is one Remove, from the request to the acknowledgement.
func BenchmarkPluginRemove(b *testing.B) {
	p := start(b, newSupervisor(b), reading(b, "roce", tree(b, 1)))
	defer p.Stop(context.Background()) //nolint:errcheck // it is over
	dev := core.Device{Info: hca(0)}
	var took bench.Series
	for b.Loop() {
		dev.ID.Generation++
		_, err := p.Add(b.Context(), dev)
		must(b, err)
		before := time.Now()
		must(b, p.Remove(b.Context(), dev, nil))
		took = append(took, since(before))
	}
	report(b, took)
}

// BenchmarkDrain takes a device with two clients, each in its process, out of
// service and back. The figures are those of the way out.
func BenchmarkDrain(b *testing.B) {
	s, root := newSupervisor(b), tree(b, 1)
	reg := core.NewRegistry(core.Options{})
	id, err := reg.RegisterDevice(b.Context(), hca(0))
	must(b, err)
	for _, name := range []string{"roce", "cm"} {
		p := start(b, s, reading(b, name, root))
		defer p.Stop(context.Background()) //nolint:errcheck // it is over
		must(b, reg.RegisterClient(b.Context(), p))
	}
	var took bench.Series
	for b.Loop() {
		before := time.Now()
		must(b, reg.Drain(b.Context(), id, nil))
		took = append(took, since(before))
		must(b, reg.Undrain(b.Context(), id))
		for _, a := range reg.Attachments() {
			must(b, a.Err)
		}
	}
	report(b, took)
}
