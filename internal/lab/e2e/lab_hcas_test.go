package e2e

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/lab/depot"
)

func TestLabHCAs(t *testing.T) {
	n := lab.Demo().Up(t)
	links := rdmaLinks(t, "")
	for device, netdev := range map[string]string{"rxe0": "eth0", "rxe1": "eth1", "rxe2": "eth2", "rxe3": "eth3"} {
		if l := links[device]; l.Netdev != netdev || l.State != "ACTIVE" {
			t.Errorf("%s: %+v, want it active on %s", device, l, netdev)
		}
	}
	// A device is seen everywhere in shared mode, its netdev only where that is.
	if l, there := links["rxe4"]; !there || l.Netdev != "" {
		t.Errorf("rxe4 here: %+v, want it without its netdev", l)
	}
	if l := rdmaLinks(t, "blue")["rxe4"]; l.Netdev != "veth1" {
		t.Errorf("rxe4 in blue: %+v, want it on veth1", l)
	}
	if err := n.In("blue", seesLink("veth1")); err != nil {
		t.Error(err)
	}
	if err := seesLink("veth1")(); err == nil {
		t.Error("veth1 is seen outside of its namespace")
	}
}

// seesLink looks for a netdev with a program of its own, for a child is to inherit the namespace too.
func seesLink(name string) func() error {
	return func() error { return exec.Command("ip", "link", "show", name).Run() }
}

func TestLabDevicesAndModules(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}.Up(t)
	for _, name := range []string{"/dev/infiniband/uverbs0", "/dev/infiniband/rdma_cm", "/sys/kernel/config/rdma_cm", "/sys/class/infiniband/rxe0"} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}

func TestLabTraffic(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}, Addrs: []string{"192.0.2.1/24"}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}.Up(t)
	server := exec.Command("rping", "-s", "-a", "192.0.2.1", "-C", "3")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	run(t, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do rping -c -a 192.0.2.1 -C 3 && exit; sleep 0.2; done; exit 1")
	if err := server.Wait(); err != nil {
		t.Errorf("rping -s: %v", err)
	}
}

func TestLabExclusive(t *testing.T) {
	tp := lab.Topology{
		Exclusive:  true,
		Namespaces: []string{"blue"},
		Links:      []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}, {Name: "eth1", Kind: lab.Dummy{}}},
		HCAs:       []lab.HCA{{Name: "rxe0", Netdev: "eth0"}, {Name: "rxe1", Netdev: "eth1", Netns: "blue"}},
	}
	if series, _ := lab.Inside(); series != depot.Linux7 {
		n, err := tp.Build()
		if !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Fatalf("topology %v, error %v; want EOPNOTSUPP, for rxe here can't change its namespace", n, err)
		}
		tp.HCAs[1].Netns = ""
	}
	tp.Up(t)
	if mode := run(t, "rdma", "system"); !strings.Contains(mode, "exclusive") {
		t.Errorf("mode %q", mode)
	}
	here, blue := rdmaLinks(t, ""), rdmaLinks(t, "blue")
	if _, ok := here["rxe0"]; !ok {
		t.Errorf("rxe0 is not here, but %v", here)
	}
	if _, ok := blue["rxe1"]; ok != (tp.HCAs[1].Netns == "blue") || len(here)+len(blue) != 2 {
		t.Errorf("here %v, blue %v; want rxe1 in %q", here, blue, tp.HCAs[1].Netns)
	}
}

func TestLabNewRDMA(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}.Up(t)
	if out := run(t, lab.NewRDMA(t), "dev", "show", "rxe0"); !strings.Contains(out, "protocol roce") {
		t.Errorf("no protocol in %q", out)
	}
}
