package libenv

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

const (
	v1 = rdma.GIDTypeIBOrRoCEv1
	v2 = rdma.GIDTypeRoCEv2
)

// port makes a RoCE port whose table has pairs of v1 and v2 entries, as mlx5 has
// them. "-" leaves a hole of two slots.
func port(device string, ips ...string) Port {
	p := Port{Device: device, Number: 1, Link: rdma.LinkLayerEthernet, State: rdma.Known(rdma.PortActive), Netdev: "eth" + device[len(device)-1:]}
	for i, ip := range ips {
		if ip == "-" {
			continue
		}
		for j, typ := range []rdma.GIDType{v1, v2} {
			p.Table = append(p.Table, rdma.GIDEntry{Device: device, Port: 1, Index: uint32(2*i + j),
				GID: rdma.GIDFromAddr(netip.MustParseAddr(ip)), Type: typ, Netdev: p.Netdev})
		}
	}
	return p
}

func choose(p Port, index uint32) Choice { return Choice{p, p.Entry(index)} }

func TestHCAList(t *testing.T) {
	ports := []Port{port("mlx5_1"), port("mlx5_10"), port("mlx5_11"), port("mlx5_2"), {Device: "mlx5_2", Number: 2}}
	for value, want := range map[string]string{
		"":                    "mlx5_1:1 mlx5_10:1 mlx5_11:1 mlx5_2:1 mlx5_2:2",
		"mlx5_1":              "mlx5_1:1 mlx5_10:1 mlx5_11:1",
		"=mlx5_1":             "mlx5_1:1",
		"=mlx5_1,mlx5_2:2":    "mlx5_1:1 mlx5_2:2",
		"mlx5_2:1":            "mlx5_2:1",
		"^mlx5_1":             "mlx5_2:1 mlx5_2:2",
		"^=mlx5_1,mlx5_2:1":   "mlx5_10:1 mlx5_11:1 mlx5_2:2",
		"=^mlx5_1":            "", // '^' is part of a name here
		"mlx5_2:1:3:0,":       "mlx5_2:1",
		"mlx5_2:,=mlx5_1":     "mlx5_2:1 mlx5_2:2",
		"mlx5_2:x":            "", // port 0
		"mlx5_10:1,mlx5_11:1": "mlx5_10:1 mlx5_11:1",
		"^":                   "",
	} {
		l := ParseHCAList(value)
		var got []string
		for _, p := range ports {
			if l.Selects(p.Device, p.Number) {
				got = append(got, p.Name())
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("NCCL_IB_HCA=%s: %v, want %s", value, got, want)
		}
	}
}

func TestDeviceList(t *testing.T) {
	ports := []Port{port("mlx5_0"), port("mlx5_1"), {Device: "mlx5_1", Number: 2}, port("mlx5_10")}
	for value, want := range map[string]string{
		"all":               "mlx5_0:1 mlx5_1:1 mlx5_1:2 mlx5_10:1",
		"mlx5_1:1":          "mlx5_1:1",
		"mlx5_1":            "mlx5_1:1 mlx5_1:2",
		"^mlx5_1:1,eth0":    "mlx5_0:1 mlx5_1:2 mlx5_10:1",
		"mlx5_[0-1]:1":      "mlx5_0:1 mlx5_1:1",
		"mlx5_[1-0]:1":      "",
		"mlx5_[0-999999]:1": "",
		"eth0":              "",
	} {
		l := ParseDeviceList(value)
		var got []string
		for _, p := range ports {
			if l.Selects(p) {
				got = append(got, p.Name())
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("UCX_NET_DEVICES=%s: %v, want %s", value, got, want)
		}
	}
}

// What NCCL finds, worked out by hand from its rules.
func TestNCCLSearch(t *testing.T) {
	usual := port("mlx5_0", "fe80::1", "10.0.0.1", "2001:db8::1", "10.0.7.1")
	pod := port("mlx5_0", "-", "-", "10.0.0.1")
	tests := []struct {
		what   string
		search GIDSearch
		p      Port
		want   uint32
	}{
		{"the first IPv4 of v2", GIDSearch{Version: 2}, usual, 3},
		{"v1", GIDSearch{Version: 1}, usual, 2},
		{"IPv6", GIDSearch{Version: 2, IPv6: true}, usual, 5},
		{"a range", GIDSearch{Version: 2, Range: netip.MustParsePrefix("10.0.7.0/24")}, usual, 7},
		{"a range of nothing", GIDSearch{Version: 2, Range: netip.MustParsePrefix("10.9.0.0/16")}, usual, 0},
		{"holes", GIDSearch{Version: 2}, pod, 5},
		{"an empty table", GIDSearch{Version: 2}, Port{Device: "x"}, 0},
		{"no IPv4", GIDSearch{Version: 2}, port("mlx5_0", "fe80::1", "2001:db8::1"), 0},
		// Once it has an IPv4 address in range it wants the version, and from then on stays.
		{"v2 only", GIDSearch{Version: 1}, Port{Table: slices.DeleteFunc(slices.Clone(usual.Table), func(e rdma.GIDEntry) bool { return e.Type == v1 })}, 3},
	}
	for _, tt := range tests {
		if got := tt.search.find(tt.p); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, got, tt.want)
		}
	}
}

func TestUCXChoice(t *testing.T) {
	for _, tt := range []struct {
		p    Port
		want uint32
	}{
		{port("mlx5_0", "fe80::1", "2001:db8::1", "10.0.0.1", "10.0.7.1"), 5},
		{port("mlx5_0", "fe80::1", "2001:db8::1"), 3},
		{port("mlx5_0", "fe80::1"), 1},
		{port("mlx5_0", "fe80::", "fe80::1"), 3}, // without an interface id it is invalid
	} {
		if got, ok := ucxGID(tt.p); !ok || got.Index != tt.want {
			t.Errorf("%d, %v, want %d", got.Index, ok, tt.want)
		}
	}
	if _, ok := ucxGID(Port{Link: rdma.LinkLayerEthernet}); ok {
		t.Error("a GID of an empty table")
	}
}

// text is lines as they are printed.
func text(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		if l.Comment != "" {
			b.WriteString("# " + l.Comment + "\n")
		}
		if l.Name != "" {
			b.WriteString(l.Name + "=" + l.Value + "\n")
		}
	}
	return b.String()
}

func TestLines(t *testing.T) {
	same := []Choice{choose(port("mlx5_1", "fe80::1", "10.0.1.1"), 3), choose(port("mlx5_11", "fe80::2", "10.0.2.1"), 3)}
	differ := []Choice{same[0], choose(port("mlx5_2", "fe80::3", "2001:db8::3", "10.0.3.1"), 5)}
	vlan := []Choice{choose(port("mlx5_1", "fe80::1", "10.0.1.1", "10.7.0.1"), 5), choose(port("mlx5_2", "fe80::3", "10.0.3.1", "2001:db8::3", "10.7.0.2"), 7)}
	hopeless := []Choice{same[0], choose(port("mlx5_2", "fe80::3", "10.0.3.1", "10.0.1.7"), 4)}
	ib := Choice{Port{Device: "mlx5_9", Number: 1, Link: rdma.LinkLayerInfiniBand}, rdma.GIDEntry{Type: v1, GID: rdma.GID{0xfe, 0x80, 15: 9}}}
	tests := []struct {
		library string
		choices []Choice
		want    []string
		not     []string
	}{
		{"nccl", same, []string{"NCCL_IB_HCA==mlx5_1:1,mlx5_11:1\n", "NCCL_IB_GID_INDEX=3\n"}, []string{"ROCE_VERSION"}},
		{"nccl", differ, []string{"3 on mlx5_1:1 (10.0.1.1), 5 on mlx5_2:1 (10.0.3.1)", "NCCL_IB_ROCE_VERSION_NUM=2\n", "NCCL_IB_ADDR_FAMILY=AF_INET\n"}, []string{"NCCL_IB_GID_INDEX=", "ADDR_RANGE"}},
		{"nccl", vlan, []string{"NCCL_IB_ADDR_RANGE=10.7.0.0/30\n"}, []string{"NCCL_IB_GID_INDEX="}},
		{"nccl", hopeless, []string{"no setting lets NCCL find them all"}, []string{"\nNCCL_IB_ROCE", "\nNCCL_IB_GID_INDEX="}},
		{"nccl", []Choice{ib}, []string{"NCCL_IB_HCA==mlx5_9:1\n", "needs no NCCL_IB_GID_INDEX"}, []string{"\nNCCL_IB_GID_INDEX="}},
		{"nccl", []Choice{ib, same[0]}, []string{"InfiniBand and RoCE together", "NCCL_IB_GID_INDEX=3\n"}, nil},
		{"ucx", same, []string{"UCX_NET_DEVICES=mlx5_1:1,mlx5_11:1\n", "UCX_IB_GID_INDEX=3\n"}, nil},
		{"ucx", differ, []string{"UCX chooses just these"}, []string{"\nUCX_IB_GID_INDEX=", "SUBNETS"}},
		{"ucx", vlan, []string{"UCX would choose 3 on mlx5_1:1, 3 on mlx5_2:1", "UCX_IB_ROCE_SUBNETS=10.7.0.1/32,10.7.0.2/32\n"}, []string{"\nUCX_IB_GID_INDEX="}},
		{"ucx", hopeless, []string{"UCX would choose 3 on mlx5_2:1", "one device for each process"}, []string{"SUBNETS="}},
		{"ucx", []Choice{ib, same[0]}, []string{"left unset"}, []string{"\nUCX_IB_GID_INDEX="}},
		{"mpi", same, []string{"OMPI_MCA_pml=ucx\n", "UCX_NET_DEVICES=mlx5_1:1,mlx5_11:1\n", "# OMPI_MCA_btl_openib_if_include=mlx5_1:1,mlx5_11:1\n", "# OMPI_MCA_btl_openib_gid_index=3\n", "FI_VERBS_IFACE=eth1"}, nil},
		{"mpi", differ, []string{"OMPI_MCA_pml=ucx\n"}, []string{"openib_gid_index"}},
		{"plain", differ, []string{"RDMA_DEVICE=mlx5_1,mlx5_2\n", "RDMA_PORT=1,1\n", "RDMA_GID_INDEX=3,5\n", "RDMA_NETDEV=eth1,eth2\n", "RDMA_GID_TYPE=v2,v2\n"}, nil},
	}
	for _, tt := range tests {
		got := text(Lines(tt.library, tt.choices))
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", tt.library, want, got)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(got, not) {
				t.Errorf("%s: %q in\n%s", tt.library, not, got)
			}
		}
	}
}

// Whatever NCCL is told for several HCAs, it leads to the GIDs that were chosen.
func TestNCCLLinesSelectTheChoices(t *testing.T) {
	a, b := port("mlx5_0", "fe80::1", "10.0.0.1", "10.1.0.1", "2001:db8::1"), port("mlx5_1", "fe80::2", "2001:db8::2", "10.0.0.2", "10.1.0.2")
	said := 0
	for _, i := range a.Table {
		for _, j := range b.Table {
			choices := []Choice{{a, i}, {b, j}}
			s, ok := searchFor(choices)
			if !ok {
				continue
			}
			said++
			for _, c := range choices {
				if got := s.GID(c.Port, rdma.Opt[int64]{}); got != c.Entry {
					t.Errorf("%+v finds %v on %s, want %v", s, describe(got), c.Port.Name(), describe(c.Entry))
				}
			}
		}
	}
	if said < 4 {
		t.Errorf("%d pairs can be found", said)
	}
}
