package sysfs

import (
	"errors"
	"os"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

func TestNetdev(t *testing.T) {
	for name, fs := range open(t, sysfstest.Tree{
		"class/net/eth0/ifindex": "3\n", "class/net/eth0/mtu": "9000\n",
		"class/net/eth1/ifindex": "three\n", "secret/ifindex": "4\n",
	}) {
		if index, mtu := fs.Netdev("eth0"); index != rdma.Known(uint32(3)) || mtu != rdma.Known(uint32(9000)) {
			t.Errorf("%s: %v, %v", name, index, mtu)
		}
		for _, unknown := range []string{"eth1", "eth2", "", "..", "../../secret"} {
			if index, mtu := fs.Netdev(unknown); index.IsKnown() || mtu.IsKnown() {
				t.Errorf("%s: %q: %v, %v", name, unknown, index, mtu)
			}
		}
	}
}

// A device keeps its instance under another name; who gets its old one has another.
func TestInstance(t *testing.T) {
	fs := open(t, sysfstest.Tree{"class/infiniband/a/": "", "class/infiniband/b/": ""})["live"]
	a, errA := fs.Instance("a")
	b, errB := fs.Instance("b")
	if errA != nil || errB != nil || a == b {
		t.Fatal(a, errA, b, errB)
	}
	class := fs.root + "/class/infiniband/"
	if err := errors.Join(os.Rename(class+"a", class+"c"), os.Rename(class+"b", class+"a")); err != nil {
		t.Fatal(err)
	}
	if c, err := fs.Instance("c"); c != a || err != nil {
		t.Errorf("renamed: %d, %v, want %d", c, err, a)
	}
	if got, err := fs.Instance("a"); got != b || err != nil {
		t.Errorf("reused: %d, %v, want %d", got, err, b)
	}
	if _, err := fs.Instance("b"); !errors.Is(err, ErrNoDevice) {
		t.Errorf("gone: %v", err)
	}
}
