package rocev1

import (
	"errors"
	"reflect"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestPortGIDsRoundTrip(t *testing.T) {
	entries := []rdma.GIDEntry{
		{Device: "mlx5_0", Port: 2, Index: 0, GID: rdma.GID{0xfe, 0x80, 15: 1}, Type: rdma.GIDTypeRoCEv2, Netdev: "eth0", Default: rdma.Known(true)},
		{Device: "mlx5_0", Port: 2, Index: 3, Default: rdma.Known(false)},
		{Device: "mlx5_0", Port: 2, Index: 4, GID: rdma.GID{15: 9}},
	}
	warnings := []rdma.Warning{{Object: "mlx5_0/2/7", Op: "read gids", Err: syscall.EIO}}
	x := NewPortGIDs("mlx5_0", 2, entries, warnings)
	got, err := x.Entries()
	if err != nil || !reflect.DeepEqual(got, entries) {
		t.Errorf("got %+v, %v; want %+v", got, err, entries)
	}
	w := x.RDMAWarnings()
	if len(w) != 1 || w[0].Object != "mlx5_0/2/7" || w[0].Op != "read gids" || !errors.Is(w[0].Err, syscall.EIO) {
		t.Errorf("warnings %+v", w)
	}
}

func TestEntriesRefuseAShortGID(t *testing.T) {
	x := &PortGIDs{Device: "mlx5_0", Port: 1, Gids: []*GID{{Index: 2, Gid: make([]byte, 15)}}}
	if _, err := x.Entries(); err == nil {
		t.Error("a GID of 15 octets is taken")
	}
}

func TestWarningWithoutAReasonKeepsItsObject(t *testing.T) {
	x := &PortGIDs{Warnings: []*Warning{{Object: "mlx5_0/1"}}}
	if w := x.RDMAWarnings(); len(w) != 1 || w[0].Err == nil {
		t.Errorf("warnings %+v", w)
	}
}
