package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// cmClient is a registry with the cm client of the program that was built for the lab.
type cmClient struct {
	cmv1.CMClient
	registry *core.Registry
	plugin   *supervisor.Plugin
}

func startCM(t *testing.T, conf cm.Config) *cmClient {
	t.Helper()
	path, err := exec.LookPath("ibctl")
	if err != nil {
		t.Fatal(err)
	}
	sup, err := supervisor.New(supervisor.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sup.Close)
	config, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	p, err := sup.Start(t.Context(), supervisor.Spec{Name: cm.Name, Path: path, Args: []string{"plugin-serve", cm.Name}, Config: config, HostPIDs: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c := &cmClient{cmv1.NewCMClient(p.Conn()), core.NewRegistry(core.Options{}), p}
	if err := c.registry.RegisterClient(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return c
}

// register adds a device that the kernel has, and checks that the client took it.
func (c *cmClient) register(t *testing.T, name string) core.ID {
	t.Helper()
	h, err := host.Open(host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	devices, _, err := h.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if d.Name != name {
			continue
		}
		id, err := c.registry.RegisterDevice(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range c.registry.Attachments() {
			if a.Device == id && a.State != core.AttachAttached {
				t.Fatalf("%s: %v", name, a.Err)
			}
		}
		return id
	}
	t.Fatalf("no device %s", name)
	return core.ID{}
}

func (c *cmClient) unregister(t *testing.T, id core.ID) {
	t.Helper()
	if err := c.registry.UnregisterDevice(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// ids returns how many CM ids the client has on a device.
func (c *cmClient) ids(t *testing.T, device string) (n int) {
	t.Helper()
	for _, id := range rdmaObjects(t, "", "res", "show", "cm_id") {
		if id["ifname"] == device && c.owns(id) {
			n++
		}
	}
	return n
}

// owns tells whether one of the client's threads made the id.
func (c *cmClient) owns(id object) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d/task/%v", c.plugin.PID(), id["pid"]))
	return err == nil
}

// listen starts to listen, and returns the events.
func (c *cmClient) listen(t *testing.T) <-chan *cmv1.ListenEvent {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := c.Listen(ctx, &cmv1.ListenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan *cmv1.ListenEvent, 1000)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(events)
		for {
			e, err := stream.Recv()
			if err != nil {
				return
			}
			if w := e.GetWarning(); w != nil {
				t.Errorf("warning: %v", w)
			}
			events <- e
		}
	})
	t.Cleanup(func() {
		cancel()
		reading.Wait()
	})
	return events
}

// untilListening waits until an address of the device is listened on.
func untilListening(t *testing.T, events <-chan *cmv1.ListenEvent, device string) {
	t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case e, open := <-events:
			if !open {
				t.Fatal("the listener ended")
			}
			if e.GetListening().GetDevice() == device {
				return
			}
		case <-timeout:
			t.Fatalf("%s is not listened on", device)
		}
	}
}
