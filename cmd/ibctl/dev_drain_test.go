package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/drained"
	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/takedown"
)

// A part of a device that may be drained stays as it is: what cannot be read is no
// leave to go on.
func TestParentServes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drained")
	store := drained.Open(dir)
	parent := rdma.Device{Name: "mlx5_0", Index: rdma.Known(uint32(3))}
	part := rdma.Device{Name: "smi0", Index: rdma.Known(uint32(4)), Parent: "mlx5_0"}
	all := []rdma.Device{parent, part}
	if err := parentServes(store, part, all); err != nil {
		t.Errorf("in service: %v", err)
	}
	if err := store.Put(parent); err != nil {
		t.Fatal(err)
	}
	if err := parentServes(store, part, all); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("drained: %v", err)
	}
	if err := parentServes(store, parent, all); err != nil {
		t.Errorf("itself: %v", err)
	}
	record := filepath.Join(dir, "3")
	if err := os.WriteFile(record, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := parentServes(store, part, all); err == nil || !strings.Contains(err.Error(), record) || !strings.Contains(err.Error(), "smi0 belongs to mlx5_0") {
		t.Errorf("unknown: %v", err)
	}
}

// A device whose part cannot be drained with it is put back, unless it was drained
// before.
func TestDrainedTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drained")
	store := drained.Open(dir)
	parent := rdma.Device{Name: "mlx5_0", Index: rdma.Known(uint32(3))}
	part := rdma.Device{Name: "smi0", Index: rdma.Known(uint32(4)), Parent: "mlx5_0"}
	job := &takedown.Job{Devices: []rdma.Device{part, parent}, Keep: true, Service: ownDrains{store}}
	job.Look = func(context.Context) ([]holders.Report, []rdma.Warning, error) { return nil, nil, nil }
	if err := os.MkdirAll(filepath.Join(dir, "4", "no file"), 0o755); err != nil { // the part's record
		t.Fatal(err)
	}
	inv := &invocation{stderr: io.Discard}
	for _, want := range []bool{false, true} {
		before := drainedOf(store, job.Devices)
		if err := job.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "remember that smi0 is drained") {
			t.Fatalf("it ends with %v", err)
		}
		if _, is, err := store.Get(parent); !is || err != nil {
			t.Fatalf("the device: drained %v, %v", is, err)
		}
		inv.drainNone(t.Context(), job, store, before)
		if _, is, err := store.Get(parent); is != want || err != nil || len(job.Warnings) > 0 {
			t.Errorf("the device: drained %v, want %v; %v, %v", is, want, err, job.Warnings)
		}
		if err := store.Put(parent); err != nil { // and now it was drained before
			t.Fatal(err)
		}
	}
}
