package sysfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

func openTree(t *testing.T, tree sysfstest.Tree) *FS {
	t.Helper()
	fs, err := Open(tree.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	return fs
}

// btf makes a BTF file whose string section holds names.
func btf(names ...string) string {
	var text bytes.Buffer
	text.WriteByte(0)
	for _, n := range names {
		text.WriteString(n + "\x00")
	}
	header := binary.NativeEndian.AppendUint16(nil, 0xeb9f)
	header = append(header, 1, 0)
	for _, n := range []uint32{24, 0, 12, 12, uint32(text.Len())} { // after 12 octets of types
		header = binary.NativeEndian.AppendUint32(header, n)
	}
	return string(slices.Concat(header, make([]byte, 12), text.Bytes()))
}

func TestModule(t *testing.T) {
	fs := openTree(t, sysfstest.Tree{
		"module/mlx5_ib/refcnt":            "4\n",
		"module/mlx5_ib/holders/zzz":       "-> ../../zzz",
		"module/mlx5_ib/holders/mlx5_vdpa": "-> ../../mlx5_vdpa",
		"module/built_in/parameters/x":     "1",
	})
	m, err := fs.Module("mlx5_ib")
	if err != nil || m.References != rdma.Known(4) || !slices.Equal(m.Holders, []string{"mlx5_vdpa", "zzz"}) {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := fs.Module("built_in"); err != nil || m.References.IsKnown() || m.Holders != nil {
		t.Errorf("%+v, %v", m, err)
	}
	for _, name := range []string{"other", "", "..", "a/b"} {
		if _, err := fs.Module(name); !errors.Is(err, ErrNoModule) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestModuleNames(t *testing.T) {
	fs := openTree(t, sysfstest.Tree{
		"kernel/btf/mlx5_ib":  btf("disassociate_ucontext", "mlx5_ib_disassociate_ucontext", "x"),
		"kernel/btf/siw":      btf("siw_dealloc_ucontext", "disassociate_ucontext", "disassociate_ucontexts"),
		"kernel/btf/short":    btf("a")[:30],
		"kernel/btf/nonsense": "nonsense nonsense nonsense",
		"kernel/btf/pipe":     "-> /dev/zero",
	})
	for module, want := range map[string]bool{"mlx5_ib": true, "siw": false} {
		if got, err := fs.ModuleNames(module, "_disassociate_ucontext"); err != nil || got != want {
			t.Errorf("%s: %v, %v", module, got, err)
		}
	}
	for _, module := range []string{"short", "nonsense", "pipe", ".."} {
		if _, err := fs.ModuleNames(module, "x"); err == nil {
			t.Errorf("%s: no error", module)
		}
	}
	if _, err := fs.ModuleNames("rdma_rxe", "x"); !errors.Is(err, ErrNoModule) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
}

func TestListCharDevs(t *testing.T) {
	fs := openTree(t, sysfstest.Tree{
		"class/infiniband_verbs/abi_version":   "6",
		"class/infiniband_verbs/uverbs0/ibdev": "mlx5_0\n",
		"class/infiniband_verbs/uverbs0/dev":   "231:192\n",
		"class/infiniband_verbs/uverbs1/ibdev": "mlx5_1\n",
		"class/infiniband_verbs/uverbs1/dev":   "nonsense\n",
		"class/infiniband_mad/umad0/ibdev":     "mlx5_0\n",
		"class/infiniband_mad/umad0/dev":       "231:0\n",
		"class/misc/rdma_cm/dev":               "10:260\n",
	})
	all, warnings := fs.ListCharDevs()
	slices.SortFunc(all, func(a, b CharDev) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	want := []CharDev{
		{"umad0", "mlx5_0", rdma.Known(unix.Mkdev(231, 0))},
		{"uverbs0", "mlx5_0", rdma.Known(unix.Mkdev(231, 192))},
		{"uverbs1", "mlx5_1", rdma.Opt[uint64]{}},
	}
	if !slices.Equal(all, want) || warnings != nil {
		t.Errorf("%+v, %v", all, warnings)
	}
	if got := fs.MiscDev("rdma_cm"); got != rdma.Known(unix.Mkdev(10, 260)) {
		t.Errorf("rdma_cm: %v", got)
	}
	if got := fs.MiscDev("other"); got.IsKnown() {
		t.Errorf("other: %v", got)
	}
}

func FuzzBTF(f *testing.F) {
	f.Add([]byte(btf("a", "b")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if names, err := btfStrings(b); err == nil && len(names) > len(b) {
			t.Error("more names than there is text")
		}
	})
}

func TestMaster(t *testing.T) {
	fs := openTree(t, sysfstest.Tree{
		"class/net/eth0/master":        "-> ../bond0",
		"class/net/eth1/master":        "-> ../br0",
		"class/net/eth2/mtu":           "1500",
		"class/net/bond0/bonding/mode": "active-backup 1",
		"class/net/br0/bridge/x":       "",
	})
	for netdev, want := range map[string]string{"eth0": "bond0", "eth1": "br0", "eth2": "", "eth3": "", "..": ""} {
		if name, bond := fs.Master(netdev); name != want || bond != (want == "bond0") {
			t.Errorf("%s: %q, %v", netdev, name, bond)
		}
	}
}
