package sysfs

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

// connectX is a RoCE device on PCI, laid out as the kernel does.
var connectX = sysfstest.Join(
	sysfstest.Tree{
		"class/infiniband/mlx5_0":    "-> ../../devices/pci0000:00/0000:00:01.0/0000:05:00.0/infiniband/mlx5_0",
		"bus/pci/drivers/mlx5_core/": "",
	},
	sysfstest.Tree{
		"driver":    "-> ../../../../bus/pci/drivers/mlx5_core",
		"numa_node": "1\n",
	}.Under("devices/pci0000:00/0000:00:01.0/0000:05:00.0"),
	sysfstest.Tree{
		"device":         "-> ../../../0000:05:00.0",
		"node_type":      "1: CA\n",
		"node_guid":      "248a:0703:00a5:29d0\n",
		"sys_image_guid": "248a:0703:00a5:29d0\n",
		"fw_ver":         "16.35.2000\n",
		"node_desc":      "host \x1b[31mred HCA-1\n",
		"hca_type":       "MT4119\n",
		"board_id":       "MT_0000000010\n",
		"hw_rev":         "0\n",
	}.Under("devices/pci0000:00/0000:00:01.0/0000:05:00.0/infiniband/mlx5_0"),
	sysfstest.Tree{
		"link_layer":     "Ethernet\n",
		"state":          "4: ACTIVE\n",
		"phys_state":     "5: LinkUp\n",
		"rate":           "100 Gb/sec (4X EDR)\n",
		"lid":            "0x0\n",
		"sm_lid":         "0x0\n",
		"lid_mask_count": "0\n",
		"cap_mask":       "0x04010000\n",
	}.Under("devices/pci0000:00/0000:00:01.0/0000:05:00.0/infiniband/mlx5_0/ports/1"),
)

var connectXWant = rdma.Device{
	Name:         "mlx5_0",
	NodeType:     rdma.Known(rdma.NodeCA),
	NodeGUID:     rdma.Known(rdma.GUID(0x248a070300a529d0)),
	SysImageGUID: rdma.Known(rdma.GUID(0x248a070300a529d0)),
	Firmware:     "16.35.2000",
	NodeDesc:     "host \x1b[31mred HCA-1",
	HCAType:      "MT4119",
	BoardID:      "MT_0000000010",
	HWRev:        "0",
	PCIAddress:   "0000:05:00.0",
	NUMANode:     rdma.Known(1),
	Driver:       "mlx5_core",
	Ports: []rdma.Port{{
		Number:    1,
		State:     rdma.Known(rdma.PortActive),
		PhysState: rdma.Known(rdma.PhysLinkUp),
		LinkLayer: rdma.LinkLayerEthernet,
		RateGbps:  rdma.Known(100.0),
		Width:     "4X",
		Speed:     "EDR",
		CapMask:   rdma.Known(uint32(0x04010000)),
	}},
}

// open returns a tree as one that was copied, and as the kernel's own.
func open(t *testing.T, tree sysfstest.Tree) map[string]*FS {
	t.Helper()
	root := tree.Write(t)
	copied, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { copied.Close() })
	return map[string]*FS{"copied": copied, "live": {root: root}}
}

func TestCompleteDevice(t *testing.T) {
	for name, fs := range open(t, connectX) {
		d := rdma.Device{Name: "mlx5_0"}
		warnings, err := fs.Complete(&d, Full)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, %v", name, warnings, err)
		}
		if !reflect.DeepEqual(d, connectXWant) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, d, connectXWant)
		}
	}
}

func TestCompleteSummary(t *testing.T) {
	want := connectXWant
	want.NodeDesc, want.HCAType, want.BoardID, want.HWRev = "", "", "", ""
	want.Ports = []rdma.Port{want.Ports[0]}
	want.Ports[0].CapMask = rdma.Opt[uint32]{}
	for name, fs := range open(t, connectX) {
		d := rdma.Device{Name: "mlx5_0"}
		if _, err := fs.Complete(&d, Summary); err != nil || !reflect.DeepEqual(d, want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, d, want)
		}
	}
}

// What the caller knows already is neither read nor changed.
func TestCompleteKeepsWhatIsKnown(t *testing.T) {
	nonsense := sysfstest.Tree{"node_guid": "nonsense", "fw_ver": "other", "ports/1/state": "nonsense", "ports/1/link_layer": "nonsense"}
	for name, fs := range open(t, sysfstest.Join(connectX, nonsense.Under("devices/pci0000:00/0000:00:01.0/0000:05:00.0/infiniband/mlx5_0"))) {
		d := connectXWant
		d.Ports = []rdma.Port{connectXWant.Ports[0]}
		warnings, err := fs.Complete(&d, Full)
		if err != nil || len(warnings) > 0 || !reflect.DeepEqual(d, connectXWant) {
			t.Errorf("%s: %v %v\n got %+v", name, warnings, err, d)
		}
	}
}

// Bad files cost their own values; the rest stays.
func TestCompleteBadFiles(t *testing.T) {
	bad := sysfstest.Tree{
		"class/infiniband/x0/node_type":          "1: CA\n",
		"class/infiniband/x0/node_guid":          "here be dragons\n",
		"class/infiniband/x0/fw_ver":             "1.2.3\n",
		"class/infiniband/x0/sys_image_guid/":    "",
		"class/infiniband/x0/ports/1/state":      "4: ACTIVE\n",
		"class/infiniband/x0/ports/1/phys_state": "4: ACTIVE\n",
		"class/infiniband/x0/ports/1/rate":       "N/A (no PMA)\n",
		"class/infiniband/x0/ports/1/link_layer": "InfiniBand\n",
		"class/infiniband/x0/ports/1/lid":        "0x1f\n",
		"class/infiniband/x0/ports/one/state":    "4: ACTIVE\n",
		"class/infiniband/x0/ports/2/state":      "1: DOWN\n",
	}
	for name, fs := range open(t, bad) {
		d := rdma.Device{Name: "x0"}
		warnings, err := fs.Complete(&d, Full)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := map[string]bool{
			"x0: read node_guid": true, "x0: read sys_image_guid": true, "x0: list ports": true,
			"x0/1: read phys_state": true, "x0/1: read rate": true,
		}
		for _, w := range warnings {
			key := w.Object + ": " + w.Op
			if !want[key] {
				t.Errorf("%s: unexpected warning %v", name, w)
			}
			delete(want, key)
		}
		if len(want) > 0 {
			t.Errorf("%s: no warnings for %v", name, want)
		}
		if d.Firmware != "1.2.3" || d.NodeGUID.IsKnown() || d.SysImageGUID.IsKnown() || len(d.Ports) != 2 {
			t.Errorf("%s: got %+v", name, d)
		}
		if p := d.Ports[0]; p.State != rdma.Known(rdma.PortActive) || p.PhysState.IsKnown() || p.RateGbps.IsKnown() || p.LID != rdma.Known(uint32(31)) {
			t.Errorf("%s: got %+v", name, p)
		}
		if p := d.Ports[1]; p.State != rdma.Known(rdma.PortDown) {
			t.Errorf("%s: got %+v", name, p)
		}
	}
}

// LIDs mean nothing where the device is no IB device, whatever its link layer says.
func TestNoLIDsOnIWARP(t *testing.T) {
	for name, fs := range open(t, sysfstest.Tree{
		"class/infiniband/i40iw0/node_type":          "4: RNIC\n",
		"class/infiniband/i40iw0/node_guid":          "0000:0000:0000:0001\n",
		"class/infiniband/i40iw0/ports/1/link_layer": "InfiniBand\n",
		"class/infiniband/i40iw0/ports/1/lid":        "0x1\n",
	}) {
		d := rdma.Device{Name: "i40iw0"}
		if _, err := fs.Complete(&d, Full); err != nil || d.Ports[0].LID.IsKnown() {
			t.Errorf("%s: %v, %+v", name, err, d)
		}
	}
}

func TestNoDevice(t *testing.T) {
	tree := sysfstest.Join(connectX, sysfstest.Tree{"class/infiniband/file": "no directory"})
	for name, fs := range open(t, tree) {
		for _, device := range []string{"mlx5_9", "", ".", "..", "a/b", "../infiniband/mlx5_0", "file", "x\x00y"} {
			if _, err := fs.Complete(&rdma.Device{Name: device}, Full); !errors.Is(err, ErrNoDevice) {
				t.Errorf("%s: %q: %v, want ErrNoDevice", name, device, err)
			}
		}
	}
}

func TestDevices(t *testing.T) {
	for name, fs := range open(t, sysfstest.Join(connectX, sysfstest.Tree{"class/infiniband/hfi1_0/": ""})) {
		if got, err := fs.Devices(); err != nil || !reflect.DeepEqual(got, []string{"hfi1_0", "mlx5_0"}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, fs := range open(t, sysfstest.Tree{"class/infiniband/": ""}) {
		if got, err := fs.Devices(); err != nil || len(got) != 0 {
			t.Errorf("%s, no HCA: %v, %v", name, got, err)
		}
	}
	for name, fs := range open(t, sysfstest.Tree{"class/net/": ""}) {
		if got, err := fs.Devices(); !errors.Is(err, ErrNoRDMA) {
			t.Errorf("%s, no RDMA: %v, %v, want ErrNoRDMA", name, got, err)
		}
	}
}

// A copied tree may have been made to harm: nothing outside of it is read, and
// nothing blocks.
func TestHostileTree(t *testing.T) {
	outside := sysfstest.Tree{"secret": "secret", "dev/node_guid": "248a:0703:00a5:29d0"}.Write(t)
	tree := sysfstest.Tree{
		"class/infiniband/a/fw_ver":    "-> " + outside + "/secret",
		"class/infiniband/a/board_id":  "-> ../../../../../../../../../../.." + outside + "/secret",
		"class/infiniband/a/hca_type":  "MT1\n",
		"class/infiniband/a/device":    "-> " + outside,
		"class/infiniband/a/node_desc": strings.Repeat("long ", 10000),
		"class/infiniband/b":           "-> " + outside + "/dev",
		"class/infiniband/c":           "-> c",
	}
	root := tree.Write(t)
	if err := unix.Mkfifo(filepath.Join(root, "class/infiniband/a/node_guid"), 0o644); err != nil {
		t.Fatal(err)
	}
	fs, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	d := rdma.Device{Name: "a"}
	warnings, err := fs.Complete(&d, Full)
	if err != nil || d.Firmware != "" || d.BoardID != "" || d.HCAType != "MT1" || d.NodeGUID.IsKnown() || len(d.NodeDesc) > maxFile {
		t.Errorf("got %+v, %v", d, err)
	}
	if len(warnings) != 3 {
		t.Errorf("warnings: %v", warnings)
	}
	for _, name := range []string{"b", "c"} {
		d := rdma.Device{Name: name}
		if _, err := fs.Complete(&d, Full); err == nil {
			t.Errorf("read %s from outside of the tree: %+v", name, d)
		}
	}
}

// A directory that is removed while it is open is what a vanished device looks like.
func TestVanished(t *testing.T) {
	fs := open(t, connectX)["live"]
	dir, err := fs.openDevice("mlx5_0")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	if err := os.RemoveAll(fs.root + "/devices"); err != nil {
		t.Fatal(err)
	}
	r := reader{fs: fs, dir: dir}
	r.device(&rdma.Device{})
	if !r.suspicious || r.dir.alive() {
		t.Errorf("suspicious %t, alive %t", r.suspicious, r.dir.alive())
	}
}

func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		what        string
		tree        sysfstest.Tree
		pci, driver string
		numa        rdma.Opt[int]
	}{
		{
			what: "soft RoCE",
			tree: sysfstest.Tree{
				"class/infiniband/x":                  "-> ../../devices/virtual/infiniband/x",
				"devices/virtual/infiniband/x/parent": "eth0\n",
			},
			driver: "rxe",
		},
		{
			what: "sub-function",
			tree: sysfstest.Tree{
				"class/infiniband/x":                                                 "-> ../../devices/pci0000:00/0000:08:00.0/mlx5_core.sf.4/infiniband/x",
				"bus/auxiliary/drivers/mlx5_core.sf/":                                "",
				"devices/pci0000:00/0000:08:00.0/mlx5_core.sf.4/driver":              "-> ../../../../bus/auxiliary/drivers/mlx5_core.sf",
				"devices/pci0000:00/0000:08:00.0/mlx5_core.sf.4/infiniband/x/device": "-> ../../../mlx5_core.sf.4",
			},
			pci: "0000:08:00.0", driver: "mlx5_core.sf",
		},
		{
			what: "copy in which links were followed",
			tree: sysfstest.Tree{
				"class/infiniband/x/device/uevent":    "DRIVER=hfi1\nPCI_CLASS=20800\nPCI_SLOT_NAME=10000:e0:06.0\n",
				"class/infiniband/x/device/numa_node": "-1\n",
			},
			pci: "10000:e0:06.0", driver: "hfi1",
		},
		{
			what: "copy in which the hardware's directory is missing",
			tree: sysfstest.Tree{"class/infiniband/x/device": "-> ../../../0000:05:00.0"},
			pci:  "0000:05:00.0",
		},
		{
			what: "nothing of it",
			tree: sysfstest.Tree{"class/infiniband/x/fw_ver": "1\n"},
		},
	} {
		d := rdma.Device{Name: "x"}
		if _, err := open(t, c.tree)["copied"].Complete(&d, Summary); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if d.PCIAddress != c.pci || d.Driver != c.driver || d.NUMANode != c.numa {
			t.Errorf("%s: got %q, %q, %v", c.what, d.PCIAddress, d.Driver, d.NUMANode)
		}
	}
}
