package plugintest

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// patience is how long the kit waits for what must happen. A correct plugin takes
// milliseconds; the machine may be busy.
const patience = 30 * time.Second

// Plugin is the plugin under test. Name must be set; the zero value of everything
// else is of use.
type Plugin struct {
	// Name of the client, which the plugin must answer to.
	Name string
	// Path of the executable, which must belong to root or to the user, and be
	// writable by nobody else. Empty stands for the test's own executable, whose
	// TestMain then serves the client where [plugin.ServeName] says so; ibctl's own
	// clients are tested like that.
	//
	// [plugin.ServeName]: https://pkg.go.dev/github.com/ibctl/ibctl/core/plugin#ServeName
	Path string
	// Args are given to the executable after argv[0].
	Args []string
	// Env holds "NAME=value" in addition to what ibctl gives every plugin.
	Env []string
	// Config is the plugin's configuration: JSON, or empty.
	Config []byte
	// HostPIDs is for a client that has to see the host's process ids, and so gets
	// no PID namespace of its own.
	HostPIDs bool
	// Devices are what the plugin is given to drive, and it must accept each of
	// them. Their names differ. Nil stands for 24 made-up RoCE devices.
	Devices []rdma.Device

	test string // the one that Run was called in

	// For the kit's own tests, which are not all to be as thorough.
	levels   []supervisor.Guarantee
	patience time.Duration
	cycles   int
}

// withDefaults fills in what was left out.
func (p Plugin) withDefaults(test string) Plugin {
	p.test = test
	if len(p.Devices) == 0 {
		for i := range uint32(24) {
			p.Devices = append(p.Devices, madeUp(i))
		}
	}
	if p.patience == 0 {
		p.patience = patience
	}
	return p
}

// madeUp is a device as soft RoCE makes them.
func madeUp(i uint32) rdma.Device {
	return rdma.Device{
		Name:     fmt.Sprintf("rxe%d", i),
		NodeType: rdma.Known(rdma.NodeCA),
		Protocol: "roce",
		NodeGUID: rdma.Known(rdma.GUID(0x0200_00ff_fe00_0000 + uint64(i))),
		Ports: []rdma.Port{{
			Number:      1,
			State:       rdma.Known(rdma.PortActive),
			LinkLayer:   rdma.LinkLayerEthernet,
			Netdev:      fmt.Sprintf("eth%d", i),
			NetdevIndex: rdma.Known(i + 2),
		}},
	}
}

// spec says how to start the plugin. The mark finds its processes, whatever
// becomes of their parents, groups and sessions.
func (p Plugin) spec(mark string) supervisor.Spec {
	return supervisor.Spec{
		Name:     p.Name,
		Path:     p.Path,
		Args:     p.Args,
		Env:      p.env(mark),
		Config:   p.Config,
		HostPIDs: p.HostPIDs,
	}
}

func (p Plugin) env(mark string) []string {
	env := slices.Clone(p.Env)
	// The race detector would keep each process for a second at its exit.
	env = append(env, envMark+"="+mark, "GOTRACEBACK=all", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		env = append(env, "GOCOVERDIR="+dir)
	}
	return env
}
