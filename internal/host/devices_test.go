package host

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

func port(link string, more sysfstest.Tree) sysfstest.Tree {
	return sysfstest.Join(sysfstest.Tree{
		"link_layer": link + "\n", "state": "4: ACTIVE\n", "phys_state": "5: LinkUp\n", "rate": "100 Gb/sec (4X EDR)\n",
		"lid": "0x1\n", "sm_lid": "0x1\n", "lid_mask_count": "0\n", "cap_mask": "0x00010000\n",
	}, more)
}

func class(name string, trees ...sysfstest.Tree) sysfstest.Tree {
	return sysfstest.Join(trees...).Under("class/infiniband/" + name)
}

// zoo is a tree with a device of each kind.
var zoo = sysfstest.Join(
	class("mlx5_0", sysfstest.Tree{"node_type": "1: CA\n", "node_guid": "0001:0000:0000:0001\n", "device/uevent": "DRIVER=mlx5_core\nPCI_SLOT_NAME=0000:05:00.0\n"},
		port("Ethernet", sysfstest.Tree{
			"gids/0": "fe80::1\n", "gid_attrs/types/0": "RoCE v2\n", "gid_attrs/ndevs/0": "eth0\n",
			"gids/1": "::ffff:192.0.2.1\n", "gid_attrs/types/1": "RoCE v2\n", "gid_attrs/ndevs/1": "eth0.7\n",
		}).Under("ports/1")),
	class("mlx5_1", sysfstest.Tree{"node_type": "1: CA\n", "node_guid": "0001:0000:0000:0002\n", "device/uevent": "DRIVER=mlx5_core\nPCI_SLOT_NAME=0000:05:00.1\n"},
		port("InfiniBand", nil).Under("ports/1")),
	class("mlx4_0", sysfstest.Tree{"node_type": "1: CA\n", "node_guid": "0001:0000:0000:0003\n", "device/uevent": "DRIVER=mlx4_core\nPCI_SLOT_NAME=0000:06:00.0\n"},
		port("Ethernet", sysfstest.Tree{"gids/0": "fe80::2\n", "gid_attrs/types/0": "IB/RoCE v1\n", "gid_attrs/ndevs/0": "eth1\n"}).Under("ports/1"),
		port("Ethernet", sysfstest.Tree{"gids/0": "fe80::3\n", "gid_attrs/types/0": "IB/RoCE v1\n", "gid_attrs/ndevs/0": "eth2\n"}).Under("ports/2")),
	class("hfi1_0", sysfstest.Tree{"board_id": "HPE 100Gb 1-port OP101 QSFP28 x16 PCIe Gen3 with Intel Omni-Path Adapter\n"},
		port("InfiniBand", sysfstest.Tree{"phys_state": "9: <unknown>\n"}).Under("ports/1")),
	class("iw0", sysfstest.Tree{"node_type": "4: RNIC\n"}, port("Ethernet", nil).Under("ports/1")),
	class("efa_0", sysfstest.Tree{"node_type": "7: unspecified\n"}, port("Unknown", nil).Under("ports/1")),
	sysfstest.Tree{
		"class/net/eth0/mtu": "9000\n", "class/net/eth0/ifindex": "3\n", "class/net/eth1/mtu": "1500\n", "class/net/eth1/ifindex": "4\n",
		"class/infiniband_verbs/uverbs0/ibdev": "mlx5_0\n", "class/infiniband_mad/umad0/ibdev": "mlx5_0\n",
	},
)

func devicesOf(t *testing.T, tree sysfstest.Tree, detail Detail) ([]rdma.Device, []rdma.Warning, *Host) {
	t.Helper()
	h, err := Open(Options{Root: tree.Write(t), Detail: detail})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	devices, warnings, err := h.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return devices, warnings, h
}

func byName(t *testing.T, devices []rdma.Device, name string) rdma.Device {
	t.Helper()
	for _, d := range devices {
		if d.Name == name {
			return d
		}
	}
	t.Fatalf("no %s", name)
	return rdma.Device{}
}

func TestDevicesOfTree(t *testing.T) {
	devices, warnings, _ := devicesOf(t, zoo, Full)
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	var names []string
	protocols := map[string]rdma.Protocol{}
	for _, d := range devices {
		names = append(names, d.Name)
		protocols[d.Name] = d.Protocol
		if d.Index.IsKnown() {
			t.Errorf("%s has index %v, which no tree tells", d.Name, d.Index)
		}
	}
	if !slices.IsSorted(names) || len(names) != 6 {
		t.Errorf("names: %v", names)
	}
	for name, want := range map[string]rdma.Protocol{
		"mlx5_0": rdma.ProtocolRoCE, "mlx5_1": rdma.ProtocolIB, "mlx4_0": rdma.ProtocolRoCE, "hfi1_0": rdma.ProtocolOPA,
		"iw0": rdma.ProtocolIWARP, "efa_0": "",
	} {
		if protocols[name] != want {
			t.Errorf("%s: protocol %q, want %q", name, protocols[name], want)
		}
	}
	d := byName(t, devices, "mlx5_0")
	p := d.Ports[0]
	if p.Netdev != "eth0" || p.NetdevIndex != rdma.Known(uint32(3)) || p.ActiveMTU != rdma.Known(uint32(4096)) || p.MaxMTU != rdma.Known(uint32(4096)) || p.LID.IsKnown() {
		t.Errorf("mlx5_0/1: %+v", p)
	}
	if !slices.Equal(d.CharDevs, []string{"/dev/infiniband/umad0", "/dev/infiniband/uverbs0"}) {
		t.Errorf("mlx5_0: %v", d.CharDevs)
	}
	ports := byName(t, devices, "mlx4_0").Ports
	if ports[0].ActiveMTU != rdma.Known(uint32(1024)) || ports[1].Netdev != "eth2" || ports[1].NetdevIndex.IsKnown() || ports[1].ActiveMTU.IsKnown() {
		t.Errorf("mlx4_0: %+v", ports)
	}
	if p := byName(t, devices, "mlx5_1").Ports[0]; p.LID != rdma.Known(uint32(1)) || p.ActiveMTU.IsKnown() || p.Netdev != "" {
		t.Errorf("mlx5_1/1: %+v", p)
	}
}

// Absent means unknown: what a tree does not tell is not in the output.
func TestUnknownIsAbsent(t *testing.T) {
	devices, _, _ := devicesOf(t, sysfstest.Tree{"class/infiniband/x/ports/1/state": "1: DOWN\n"}, Full)
	got, err := json.Marshal(devices)
	if want := `[{"name":"x","ports":[{"port":1,"state":"DOWN"}]}]`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestSummary(t *testing.T) {
	devices, _, _ := devicesOf(t, zoo, Summary)
	if d := byName(t, devices, "mlx5_0"); d.CharDevs != nil || d.Driver != "mlx5_core" || d.Ports[0].Speed != "EDR" {
		t.Errorf("%+v", d)
	}
}

func TestNoDevicesAndNoRDMA(t *testing.T) {
	if devices, _, _ := devicesOf(t, sysfstest.Tree{"class/infiniband/": ""}, Full); devices == nil || len(devices) != 0 {
		t.Errorf("got %v, want an empty list", devices)
	}
	h, err := Open(Options{Root: sysfstest.Tree{"class/net/": ""}.Write(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, _, err := h.Devices(t.Context()); !errors.Is(err, ErrNoRDMA) {
		t.Errorf("got %v, want ErrNoRDMA", err)
	}
	if _, err := Open(Options{Root: t.TempDir() + "/nonesuch"}); err == nil {
		t.Error("opened a directory that is not there")
	}
}

// One broken device costs the others nothing.
func TestBrokenDevice(t *testing.T) {
	tree := sysfstest.Join(zoo, class("broken", sysfstest.Tree{"node_type": "cat\n", "ports/1/rate": "N/A (no PMA)\n"}), sysfstest.Tree{"class/infiniband/gone": "-> ../../nowhere"})
	devices, warnings, _ := devicesOf(t, tree, Full)
	if len(devices) != 8 {
		t.Errorf("%d devices", len(devices))
	}
	var texts []string
	for _, w := range warnings {
		texts = append(texts, w.Error())
	}
	slices.Sort(texts)
	want := []string{`broken/1: read rate: "N/A (no PMA)" makes no sense`, `broken: read node_type: "cat" makes no sense`, `gone: read device: gone: no such RDMA device`}
	if !slices.Equal(texts, want) {
		t.Errorf("warnings:\n%s", strings.Join(texts, "\n"))
	}
}

func TestActiveMTU(t *testing.T) {
	for _, c := range []struct {
		driver string
		netdev uint32
		want   rdma.Opt[uint32]
	}{
		// rxe: as ibv_devinfo showed it in the lab, on both sides of each step.
		{"rxe", 9000, rdma.Known(uint32(4096))}, {"rxe", 4176, rdma.Known(uint32(4096))}, {"rxe", 4175, rdma.Known(uint32(2048))},
		{"rxe", 2128, rdma.Known(uint32(2048))}, {"rxe", 2127, rdma.Known(uint32(1024))}, {"rxe", 1500, rdma.Known(uint32(1024))},
		{"rxe", 592, rdma.Known(uint32(512))}, {"rxe", 591, rdma.Known(uint32(256))}, {"rxe", 100, rdma.Known(uint32(256))},
		// iboe_get_mtu sets 96 octets aside, not 80.
		{"mlx5_core", 4192, rdma.Known(uint32(4096))}, {"mlx5_core", 4191, rdma.Known(uint32(2048))}, {"mlx5_core", 1500, rdma.Known(uint32(1024))},
		{"mlx5_core", 351, rdma.Opt[uint32]{}}, {"mlx4_core", 351, rdma.Known(uint32(256))},
	} {
		rule, ok := roceMTU(c.driver)
		if got := rule.active(c.netdev); !ok || got != c.want {
			t.Errorf("%s on MTU %d: %v, want %v", c.driver, c.netdev, got, c.want)
		}
	}
	if _, ok := roceMTU("irdma"); ok {
		t.Error("irdma has a rule, which nobody looked up")
	}
}
