package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/soak"
)

// followed is a registry that follows the lab's kernel.
type followed struct {
	*core.Registry
	testing.TB
}

// followHost follows until the test ends. The resync is so slow that it does not
// help: what is found, events led to.
func followHost(t testing.TB, resync time.Duration, clients ...core.Client) followed {
	t.Helper()
	return followAll(t, host.Summary, resync, clients...)
}

// followAll is followHost with a choice of what is read.
func followAll(t testing.TB, detail host.Detail, resync time.Duration, clients ...core.Client) followed {
	t.Helper()
	reg := core.NewRegistry(core.Options{})
	for _, c := range clients {
		if err := reg.RegisterClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	h := openHost(t, host.Options{Detail: detail})
	ctx, stop := context.WithCancel(context.Background())
	synced, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- h.Follow(ctx, reg, host.FollowOptions{
			Resync: resync,
			Synced: func() { close(synced) },
			Report: func(err error) { t.Logf("reported: %v", err) },
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-synced
	return followed{reg, t}
}

// kernelDevices returns index → name as rdma(8) has it.
func kernelDevices(t testing.TB) map[uint32]string {
	t.Helper()
	all := map[uint32]string{}
	for _, d := range runJSON[[]struct {
		Index uint32 `json:"ifindex"`
		Name  string `json:"ifname"`
	}](t, "rdma", "-j", "dev") {
		all[d.Index] = d.Name
	}
	return all
}

// becomesSame waits until the registry has what the kernel has.
func (f followed) becomesSame(after string) {
	f.Helper()
	want := kernelDevices(f)
	got := map[uint32]string{}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		clear(got)
		for _, d := range f.Devices() {
			got[d.ID.Index] = d.Info.Name
		}
		if maps.Equal(got, want) {
			return
		}
	}
	f.Fatalf("after %s: registered are %v, the kernel has %v", after, got, want)
}

func TestFollowHotPlug(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}, {Name: "eth1", Kind: lab.Dummy{}}, {Name: "eth2", Kind: lab.Dummy{}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}.Up(t)
	f := followHost(t, time.Hour)
	f.becomesSame("start")
	for _, command := range []string{
		"rdma link add rxe1 type rxe netdev eth1",
		"rdma dev set rxe0 name hca0",
		"rdma link del rxe1",
		"rdma link add rxe1 type rxe netdev eth1", // the same name at once
		"rdma link del rxe1; rdma link add rxe1 type rxe netdev eth2",
		"rdma dev set hca0 name tmp; rdma dev set rxe1 name hca0; rdma dev set tmp name rxe1", // swapped
		"ip link del eth0",                                                                    // takes its device along
		"rdma link del hca0",
	} {
		run(t, "sh", "-ec", command)
		f.becomesSame(command)
	}
}

// TestFollowBurst disturbs the devices at random, many at once, and looks at the
// end alone.
func TestFollowBurst(t *testing.T) {
	onOneKernel(t)
	seed := soak.Seed(t, 1)
	t.Logf("IBCTL_SEED=%d", seed)
	var tp lab.Topology
	for i := range 6 {
		tp.Links = append(tp.Links, lab.Link{Name: fmt.Sprintf("eth%d", i), Kind: lab.Dummy{}})
	}
	tp.Up(t)
	f := followHost(t, time.Hour, &sluggish{})
	var group sync.WaitGroup
	for i := range 3 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		group.Go(func() {
			for range 40 {
				// Many of these fail, for the name or netdev is not there, or taken.
				_ = exec.Command("rdma", disturbance(random)...).Run()
			}
		})
	}
	group.Wait()
	f.becomesSame("the burst")
}

func disturbance(random *rand.Rand) []string {
	name := func() string { return fmt.Sprintf("rxe%d", random.IntN(6)) }
	switch random.IntN(3) {
	case 0:
		return []string{"link", "add", name(), "type", "rxe", "netdev", fmt.Sprintf("eth%d", random.IntN(6))}
	case 1:
		return []string{"link", "del", name()}
	}
	return []string{"dev", "set", name(), "name", name()}
}

// sluggish is a client that takes its time.
type sluggish struct{}

func (sluggish) Name() string { return "sluggish" }

func (sluggish) Add(context.Context, core.Device) (any, error) {
	time.Sleep(20 * time.Millisecond)
	return nil, nil
}

func (sluggish) Remove(context.Context, core.Device, any) error {
	time.Sleep(20 * time.Millisecond)
	return nil
}

// TestFollowHeldDevice: a device that a process holds is taken from the clients
// as soon as its removal begins, though the kernel cannot end that.
func TestFollowHeldDevice(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}, {Name: "eth1", Kind: lab.Dummy{}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}.Up(t)
	f := followHost(t, time.Hour)
	f.becomesSame("start")
	holder := exec.Command("ibv_asyncwatch", "-d", "rxe0")
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it says so when it has the device
		t.Fatal(err)
	}
	removal := exec.Command("rdma", "link", "del", "rxe0")
	if err := removal.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(f.Devices()) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still registered, a minute after its removal began")
		}
	}
	if _, err := os.Stat("/sys/class/infiniband/rxe0"); waits() && err != nil {
		t.Errorf("the device is gone already, so this proves nothing: %v", err)
	}
	run(t, "rdma", "link", "add", "rxe1", "type", "rxe", "netdev", "eth1")
	f.becomesSame("a new device beside one that is held")
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // killed
	if err := removal.Wait(); err != nil {
		t.Error(err)
	}
	f.becomesSame("the holder's end")
}

// TestFollowLinks: a port's state and netdev follow those of the netdev.
func TestFollowLinks(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}, {Name: "eth1", Kind: lab.Dummy{}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}.Up(t)
	f := followHost(t, time.Hour)
	for _, step := range []struct{ command, state, netdev string }{
		{"ip link set eth0 down", "DOWN", "eth0"},
		{"ip link set eth1 down", "DOWN", "eth0"},
		{"ip link set eth0 name lan0", "DOWN", "lan0"},
		{"ip link set lan0 up", "ACTIVE", "lan0"},
	} {
		run(t, "sh", "-ec", step.command)
		waitFor(t, step.command, func() bool {
			d := f.Devices()
			return len(d) == 1 && d[0].Info.Ports[0].State.Or(0).String() == step.state && d[0].Info.Ports[0].Netdev == step.netdev
		})
	}
}

// TestFollowResync: what no event tells, the resync finds. A device's description is such a thing.
func TestFollowResync(t *testing.T) {
	oneHCA().Up(t)
	f := followAll(t, host.Full, 100*time.Millisecond)
	if err := os.WriteFile("/sys/class/infiniband/rxe0/node_desc", []byte("rail 7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the description", func() bool {
		d := f.Devices()
		return len(d) == 1 && d[0].Info.NodeDesc == "rail 7"
	})
}
