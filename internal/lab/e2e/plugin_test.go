package e2e

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/plugins/plugintest"
)

// builtinClient is a client of ibctl's own, run from the program that was built
// for the lab.
func builtinClient(t *testing.T, name string) supervisor.Spec {
	t.Helper()
	path, err := exec.LookPath("ibctl")
	if err != nil {
		t.Fatal(err)
	}
	return supervisor.Spec{Name: name, Path: path, Args: plugin.ServeArgs(name)[1:], HostPIDs: name == "cm"}
}

// realDevices returns what host finds.
func realDevices(t *testing.T) []rdma.Device {
	t.Helper()
	h, err := host.Open(host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	devices, warnings, err := h.Devices(t.Context())
	if err != nil || len(warnings) > 0 {
		t.Fatalf("devices: %v, %v", err, warnings)
	}
	return devices
}

// TestPluginCycles has the clients come and go on real devices, and devices on
// them. Every fourth time they are killed instead.
func TestPluginCycles(t *testing.T) {
	lab.Demo().Up(t)
	devices := realDevices(t)
	sup, err := supervisor.New(supervisor.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sup.Close()
	pluginCycle(t, sup, devices, false) // what a process keeps for good, it has by now
	before := openFiles(t)
	for i := range soak.Times(4, 1000) {
		pluginCycle(t, sup, devices, i%4 == 3)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
}

func pluginCycle(t *testing.T, sup *supervisor.Supervisor, devices []rdma.Device, kill bool) {
	t.Helper()
	ctx, reg := t.Context(), core.NewRegistry(core.Options{})
	var plugins []*supervisor.Plugin
	for _, name := range []string{"roce", "cm"} {
		p, err := sup.Start(ctx, builtinClient(t, name))
		if err != nil {
			t.Fatal(err)
		}
		plugins = append(plugins, p)
		if err := reg.RegisterClient(ctx, p); err != nil {
			t.Error(err)
		}
	}
	var ids []core.ID
	for _, d := range devices {
		id, err := reg.RegisterDevice(ctx, d)
		if err != nil {
			t.Error(err)
		}
		ids = append(ids, id)
	}
	if got := len(reg.Attachments()); got != len(plugins)*len(devices) {
		t.Errorf("%d attachments", got)
	}
	if kill {
		plugins[0].Kill(errors.New("killed by the test"))
	}
	for _, id := range ids {
		if err := reg.UnregisterDevice(ctx, id); err != nil && !kill {
			t.Error(err)
		}
	}
	for _, p := range plugins {
		pid := p.PID()
		_ = reg.UnregisterClient(ctx, p.Name())
		if err := p.Stop(ctx); err != nil && !kill {
			t.Error(err)
		}
		if stillThere(pid) {
			t.Errorf("%s: process %d is left", p.Name(), pid)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestPluginConformance holds the built-in clients against the contract, on real
// devices. It takes minutes where processes start as slowly as here; cmd/ibctl
// does the same every time, on a tree.
func TestPluginConformance(t *testing.T) {
	if !soak.On() {
		t.Skip("this is for make soak")
	}
	lab.Demo().Up(t)
	devices := realDevices(t)
	for _, name := range []string{"roce", "cm"} {
		t.Run(name, func(t *testing.T) {
			spec := builtinClient(t, name)
			plugintest.Run(t, plugintest.Plugin{Name: name, Path: spec.Path, Args: spec.Args, HostPIDs: spec.HostPIDs, Devices: devices})
		})
	}
}
