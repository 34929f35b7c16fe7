package libenv

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

// rails are HCAs of which two share an index, one differs, one is down, and one is
// InfiniBand.
func rails() []Port {
	down := port("mlx5_3", "fe80::3", "10.0.3.1")
	down.State = rdma.Known(rdma.PortDown)
	return []Port{
		port("mlx5_1", "fe80::1", "10.0.1.1"), port("mlx5_11", "fe80::11", "10.0.11.1"),
		port("mlx5_2", "fe80::2", "2001:db8::2", "10.0.2.1"), down,
		{Device: "ibp9", Number: 1, Link: rdma.LinkLayerInfiniBand, State: rdma.Known(rdma.PortActive),
			Table: []rdma.GIDEntry{{Device: "ibp9", Port: 1, GID: rdma.GID{0xfe, 0x80, 15: 9}, Type: v1}}},
	}
}

// told is what is said of one variable, among others that are set.
func told(t *testing.T, name string, set map[string]string) string {
	t.Helper()
	var vars []Variable
	for n, v := range set {
		vars = append(vars, Variable{n, v, "environment"})
	}
	for _, e := range Explain(vars, rails()) {
		if e.Variable != name {
			continue
		}
		text := e.Meaning + " [" + strings.Join(e.Selects, "; ") + "]"
		for _, f := range e.Findings {
			text += fmt.Sprintf(" %s: %s (%s)", f.Severity, f.Text, f.Remedy)
		}
		return text
	}
	t.Errorf("nothing is said of %s", name)
	return ""
}

func TestExplain(t *testing.T) {
	type vars = map[string]string
	tests := []struct {
		name, value string
		others      vars
		want        []string
		not         []string
	}{
		{"NCCL_IB_HCA", "mlx5_1", nil, []string{"begin with mlx5_1 [mlx5_1:1; mlx5_11:1]", "warning: mlx5_1 also matches mlx5_11 (NCCL_IB_HCA==mlx5_1)"}, nil},
		{"NCCL_IB_HCA", "=mlx5_1:1", nil, []string{"the HCAs mlx5_1 port 1 [mlx5_1:1]"}, []string{"warning", "error"}},
		{"NCCL_IB_HCA", "mlx5", nil, []string{"[mlx5_1:1; mlx5_11:1; mlx5_2:1]", "mlx5_3:1 is DOWN: NCCL passes it over"}, []string{"also matches"}},
		{"NCCL_IB_HCA", "=mlx5_3", nil, []string{"no active port is left"}, nil},
		{"NCCL_IB_HCA", "=mlx5_7", nil, []string{"error: no device of this host is called mlx5_7"}, nil},
		{"NCCL_IB_HCA", "^mlx5_7", nil, []string{"note: no device of this host is called mlx5_7"}, []string{"error"}},
		{"NCCL_IB_HCA", "=mlx5_2:2", nil, []string{"error: mlx5_2 has no port 2"}, nil},
		{"NCCL_IB_HCA", "=^mlx5_1", nil, []string{"'^' comes before '='", "NCCL_IB_HCA=^=mlx5_1"}, nil},
		{"NCCL_IB_HCA", "^mlx5_1", nil, []string{"except those whose names begin with mlx5_1", "mlx5_1 also matches mlx5_11 (NCCL_IB_HCA=^=mlx5_1)", "InfiniBand and RoCE ports"}, nil},

		{"NCCL_IB_GID_INDEX", "3", vars{"NCCL_IB_HCA": "=mlx5_1,mlx5_11"}, []string{"[mlx5_1:1: 3, 10.0.1.1 (RoCE v2, eth1); mlx5_11:1: 3, 10.0.11.1"}, []string{"warning", "error"}},
		{"NCCL_IB_GID_INDEX", "3", vars{"NCCL_IB_HCA": "=mlx5_1,mlx5_2"}, []string{"warning: the index means different things: 10.0.1.1 (RoCE v2, eth1) on mlx5_1:1, and 2001:db8::2"}, nil},
		{"NCCL_IB_GID_INDEX", "2", vars{"NCCL_IB_HCA": "=mlx5_1"}, []string{"warning: slot 2 of mlx5_1:1 is RoCE v1", "index 3 of mlx5_1:1 is 10.0.1.1"}, nil},
		{"NCCL_IB_GID_INDEX", "1", vars{"NCCL_IB_HCA": "=mlx5_1"}, []string{"warning: slot 1 of mlx5_1:1 is link-local"}, nil},
		{"NCCL_IB_GID_INDEX", "9", vars{"NCCL_IB_HCA": "=mlx5_1"}, []string{"error: slot 9 of mlx5_1:1 is empty"}, nil},
		{"NCCL_IB_GID_INDEX", "three", nil, []string{"error: it is not a number; NCCL reads 0"}, nil},
		{"NCCL_IB_GID_INDEX", "0x3", vars{"NCCL_IB_HCA": "=mlx5_1"}, []string{"index 3"}, []string{"error"}},
		{"NCCL_IB_GID_INDEX", "3", vars{"NCCL_IB_HCA": "=ibp9"}, []string{"NCCL uses no RoCE port here"}, nil},
		{"NCCL_IB_GID_INDEX", "3", vars{"NCCL_IB_ADDR_FAMILY": "AF_INET"}, []string{"NCCL_IB_ADDR_FAMILY has no effect"}, nil},
		{"NCCL_IB_GID_INDEX", "-1", vars{"NCCL_IB_HCA": "mlx5"}, []string{"looks for a GID", "mlx5_2:1: 5, 10.0.2.1"}, []string{"warning: the index"}},

		{"NCCL_IB_ROCE_VERSION_NUM", "3", nil, []string{"error: there is no RoCE v3"}, nil},
		{"NCCL_IB_ADDR_FAMILY", "inet6", nil, []string{"taken for AF_INET", "error"}, nil},
		{"NCCL_IB_ADDR_RANGE", "10.0.1.0/24", vars{"NCCL_IB_HCA": "=mlx5_1,mlx5_2"}, []string{"error: mlx5_2:1 has no address in it, and NCCL takes what is at index 0, fe80::2"}, []string{"mlx5_1:1 has"}},
		{"NCCL_IB_ADDR_RANGE", "10.0.1.0", nil, []string{"error: 10.0.1.0 is not a prefix"}, nil},
		{"NCCL_IB_ADDR_RANGE", "2001:db8::/32", nil, []string{"not of the family", "NCCL_IB_ADDR_FAMILY=AF_INET6"}, nil},
		{"NCCL_IB_DISABLE", "1", nil, []string{"no HCA is used", "unset NCCL_IB_DISABLE"}, nil},
		{"NCCL_IB_TC", "106", nil, []string{"DSCP 26, ECN ECT(0)"}, []string{"warning", "note"}},
		{"NCCL_IB_TC", "107", nil, []string{"warning: every packet says", "(106)"}, nil},
		{"NCCL_IB_TC", "256", nil, []string{"error: 256 is not a traffic class"}, nil},
		{"NCCL_DEBUG", "INFO", nil, []string{"does not choose devices or GIDs"}, nil},

		{"UCX_NET_DEVICES", "mlx5_1:1", nil, []string{"[mlx5_1:1]"}, []string{"mlx5_11", "note", "error"}},
		{"UCX_NET_DEVICES", "mlx5_1", nil, []string{"[mlx5_1:1]", "note: a name without a port is understood by UCX 1.21"}, nil},
		{"UCX_NET_DEVICES", "eth2", nil, []string{"warning: eth2 is a network interface, over which UCX uses TCP; the HCA behind it is mlx5_2:1", "no active port of an HCA is left"}, nil},
		{"UCX_NET_DEVICES", "mlx5_3:1,mlx5_8:1", nil, []string{"mlx5_3:1 is DOWN: UCX passes it over", "error: mlx5_8:1 is no port"}, nil},
		{"UCX_NET_DEVICES", "all,mlx5_1:1", nil, []string{"error: all does not go with other names"}, nil},
		{"UCX_IB_GID_INDEX", "3", vars{"UCX_NET_DEVICES": "mlx5_1:1,mlx5_2:1"}, []string{"means different things"}, nil},
		{"UCX_IB_GID_INDEX", "3", vars{"UCX_NET_DEVICES": "ibp9:1,mlx5_1:1"}, []string{"error: slot 3 of ibp9:1 is empty"}, nil},
		{"UCX_IB_GID_INDEX", "3", vars{"UCX_IB_ROCE_SUBNETS": "10.0.0.0/8"}, []string{"error: UCX refuses it together"}, nil},
		{"UCX_IB_GID_INDEX", "-1", nil, []string{"error: -1 is not an index"}, nil},
		{"UCX_IB_GID_INDEX", "auto", vars{"UCX_NET_DEVICES": "mlx5_2:1"}, []string{"mlx5_2:1: 5, 10.0.2.1"}, []string{"error"}},
		{"UCX_IB_ROCE_SUBNETS", "10.0.1.0/24,x", vars{"UCX_NET_DEVICES": "mlx5_1:1,mlx5_2:1"}, []string{"error: x is not a subnet", "error: mlx5_2:1 has no GID that they allow"}, []string{"mlx5_1:1 has"}},
		{"UCX_TLS", "tcp,self", nil, []string{"warning: none of them uses HCAs"}, nil},
		{"UCX_TLS", "rc_x,sm", nil, nil, []string{"warning"}},
		{"UCX_TLS", "^ib", nil, []string{"no transport that uses HCAs is left"}, nil},
		{"UCX_IB_ROCE_LOCAL_SUBNET", "y", nil, []string{"only peers in the subnet"}, nil},
	}
	for _, tt := range tests {
		set := vars{tt.name: tt.value}
		for name, value := range tt.others {
			set[name] = value
		}
		got := told(t, tt.name, set)
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s=%s %v: no %q in\n%s", tt.name, tt.value, tt.others, want, got)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(got, not) {
				t.Errorf("%s=%s %v: %q in\n%s", tt.name, tt.value, tt.others, not, got)
			}
		}
	}
}

// What a library does by itself is said where something else of it is set, and
// settings from gid resolve --for have nothing wrong with them.
func TestExplainUnset(t *testing.T) {
	if all := Explain(nil, rails()); len(all) != 0 {
		t.Errorf("of nothing: %+v", all)
	}
	all := Explain([]Variable{{"NCCL_DEBUG", "INFO", "environment"}, {"PATH", "/bin", "environment"}}, rails())
	if len(all) != 2 || all[1].Variable != "NCCL_IB_GID_INDEX" || all[1].Source != NotSet || len(all[1].Selects) != 3 {
		t.Errorf("%+v", all)
	}
	ports := rails()
	choices := []Choice{choose(ports[0], 3), choose(ports[1], 3), choose(ports[2], 5)}
	var vars []Variable
	for _, library := range []string{"nccl", "ucx"} {
		for _, l := range Lines(library, choices) {
			if l.Name != "" {
				vars = append(vars, Variable{l.Name, l.Value, "environment"})
			}
		}
	}
	for _, e := range Explain(vars, ports) {
		for _, f := range e.Findings {
			t.Errorf("%s=%s: %+v", e.Variable, e.Value, f)
		}
		if strings.HasSuffix(e.Variable, "GID_INDEX") && !strings.Contains(strings.Join(e.Selects, " "), "mlx5_2:1: 5, 10.0.2.1") {
			t.Errorf("%s: %v", e.Variable, e.Selects)
		}
	}
}
