package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/drained"
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
