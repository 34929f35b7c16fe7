package host

import (
	"errors"
	"slices"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

// shelf has devices that resemble each other.
var shelf = []rdma.Device{
	{Index: rdma.Known(uint32(0)), Name: "mlx5_0", NodeGUID: rdma.Known(rdma.GUID(0x248a070300a529d0)), PCIAddress: "0000:05:00.0", Ports: []rdma.Port{{Number: 1, Netdev: "eth0"}}},
	{Index: rdma.Known(uint32(1)), Name: "mlx5_1", NodeGUID: rdma.Known(rdma.GUID(0x248a070300a529d1)), PCIAddress: "0000:05:00.1", Ports: []rdma.Port{{Number: 1, Netdev: "eth1"}}},
	{Index: rdma.Known(uint32(2)), Name: "sf0", NodeGUID: rdma.Known(rdma.GUID(0x248a070300a529d1)), PCIAddress: "0000:05:00.1", Ports: []rdma.Port{{Number: 1}}},
	{Index: rdma.Known(uint32(3)), Name: "mlx4_0", PCIAddress: "000a:06:00.0", Ports: []rdma.Port{{Number: 1, Netdev: "eth2"}, {Number: 2, Netdev: "eth3"}}},
	{Index: rdma.Known(uint32(4)), Name: "lag0", Ports: []rdma.Port{{Number: 1, Netdev: "bond0"}, {Number: 2, Netdev: "bond0"}}},
	{Index: rdma.Known(uint32(5)), Name: "rxe0", Ports: []rdma.Port{{Number: 1, Netdev: "bond0"}}},
	{Index: rdma.Known(uint32(6)), Name: "eth1", Ports: []rdma.Port{{Number: 1, Netdev: "eth9"}}},
	{Name: "noindex", Ports: []rdma.Port{}},
}

func TestSelect(t *testing.T) {
	one, two := rdma.Known(uint32(1)), rdma.Known(uint32(2))
	for arg, want := range map[string]struct {
		device                  string
		port, index, netdevPort rdma.Opt[uint32]
	}{
		"mlx5_0":               {device: "mlx5_0"},
		"mlx5_0/1":             {device: "mlx5_0", port: one},
		"mlx5_0/1/3":           {device: "mlx5_0", port: one, index: rdma.Known(uint32(3))},
		"#3":                   {device: "mlx4_0"},
		"#3/2":                 {device: "mlx4_0", port: two},
		"248a:0703:00a5:29d0":  {device: "mlx5_0"},
		"0x248a070300a529d0/1": {device: "mlx5_0", port: one},
		"0000:05:00.0":         {device: "mlx5_0"},
		"05:00.0":              {device: "mlx5_0"},
		"000A:06:00.0":         {device: "mlx4_0"},
		"eth0":                 {device: "mlx5_0", netdevPort: one},
		"eth3":                 {device: "mlx4_0", netdevPort: two},
		"eth9":                 {device: "eth1", netdevPort: one},
		"noindex":              {device: "noindex"},
	} {
		got, err := Select(shelf, arg)
		if err != nil || got.Device.Name != want.device || got.Port != want.port || got.Index != want.index || got.NetdevPort != want.netdevPort {
			t.Errorf("%q: got %s %v %v %v, %v", arg, got.Device.Name, got.Port, got.Index, got.NetdevPort, err)
		}
	}
}

func TestSelectAmbiguous(t *testing.T) {
	for arg, want := range map[string][]string{
		"bond0":              {"lag0", "rxe0"},
		"0000:05:00.1":       {"mlx5_1", "sf0"},
		"248a070300a529d1/1": {"mlx5_1", "sf0"},
		"eth1":               {"mlx5_1", "#6"}, // a netdev of one, the name of another
	} {
		_, err := Select(shelf, arg)
		var a *AmbiguousError
		if !errors.As(err, &a) || !slices.Equal(a.Candidates, want) {
			t.Errorf("%q: %v", arg, err)
			continue
		}
		for _, c := range a.Candidates {
			if _, err := Select(shelf, c); err != nil {
				t.Errorf("candidate %q: %v", c, err)
			}
		}
	}
}

func TestSelectNothing(t *testing.T) {
	for _, arg := range []string{"mlx5_9", "#9", "#-1", "#", "#x", "05:00.7", "mlx5_0/2", "mlx5_0/0", "248a:0703:00a5:0000", "eth", " mlx5_0"} {
		if s, err := Select(shelf, arg); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %+v, %v, want ErrNotFound", arg, s, err)
		}
	}
	for _, arg := range []string{"", "/1", "mlx5_0/", "mlx5_0/one", "mlx5_0/1/", "mlx5_0/1/2/3", "mlx5_0/-1", "mlx5_0/4294967296", "/"} {
		if s, err := Select(shelf, arg); !errors.Is(err, ErrBadSelector) {
			t.Errorf("%q: %+v, %v, want ErrBadSelector", arg, s, err)
		}
	}
}

// A VLAN's device is known from the GID table alone.
func TestSelectUpperOfTree(t *testing.T) {
	devices, _, h := devicesOf(t, zoo, Full)
	got, err := h.Select(t.Context(), devices, "eth0.7")
	if err != nil || got.Device.Name != "mlx5_0" || got.NetdevPort != rdma.Known(uint32(1)) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := h.Select(t.Context(), devices, "nonesuch"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if got, err := h.Select(t.Context(), devices, "eth0"); err != nil || got.Device.Name != "mlx5_0" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzSelect(f *testing.F) {
	for _, arg := range []string{"mlx5_0/1/3", "#3/2", "0000:05:00.0", "248a:0703:00a5:29d0", "eth0", "a/b/c/d", "/"} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		s, err := Select(shelf, arg)
		var a *AmbiguousError
		switch {
		case err == nil && s.Device.Name == "":
			t.Errorf("%q selects nothing", arg)
		case err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrBadSelector) && !errors.As(err, &a):
			t.Errorf("%q: %v", arg, err)
		}
	})
}
