package subsystem

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// State is that of the whole RDMA subsystem. What the kernel is too old to tell is
// unknown.
type State struct {
	// Netns is "shared" or "exclusive".
	Netns rdma.Opt[nldev.NetnsMode] `json:"netns,omitzero"`
	// PrivilegedQKey tells whether any process may set a privileged Q_Key.
	PrivilegedQKey rdma.Opt[bool] `json:"privileged_qkey,omitzero"`
	// Monitor tells whether the kernel tells of devices' comings and goings by
	// netlink.
	Monitor rdma.Opt[bool] `json:"monitor,omitzero"`
	// CopyOnFork tells whether registered memory is safe over fork.
	CopyOnFork rdma.Opt[bool] `json:"copy_on_fork,omitzero"`
}

// Subsystem asks the kernel. Its methods may be called by any number of goroutines
// at once; those that change something need CAP_NET_ADMIN, or root.
type Subsystem struct{ nl *nldev.Conn }

// Open returns it for the calling thread's network namespace. The caller closes it.
func Open() (*Subsystem, error) {
	nl, err := nldev.Dial()
	if err != nil {
		return nil, err
	}
	return &Subsystem{nl}, nil
}

// Close frees what Open opened.
func (s *Subsystem) Close() error { return s.nl.Close() }

// State reads it.
func (s *Subsystem) State(ctx context.Context) (State, error) {
	read, err := s.nl.System(ctx)
	return State{Netns: read.NetnsMode, PrivilegedQKey: read.PrivilegedQKey, Monitor: read.Monitor, CopyOnFork: read.CopyOnFork}, err
}

// The netns modes.
const (
	Shared    = string(nldev.NetnsShared)
	Exclusive = string(nldev.NetnsExclusive)
)

// SetNetns changes the netns mode. The kernel answers EBUSY while there is a
// network namespace but the initial one; [Namespaces] says which.
func (s *Subsystem) SetNetns(ctx context.Context, mode string) error {
	return s.nl.SetNetnsMode(ctx, nldev.NetnsMode(mode))
}

// BootFile and BootLine make a netns mode that of the next boot.
const BootFile = "/etc/modprobe.d/ibctl.conf"

// BootLine is what belongs into BootFile: the parameter of ib_core that says
// whether devices are shared.
func BootLine(mode string) string {
	shared := 0
	if mode == Shared {
		shared = 1
	}
	return fmt.Sprintf("options ib_core netns_mode=%d", shared)
}

// SetPrivilegedQKey decides whether any process may set a privileged Q_Key.
func (s *Subsystem) SetPrivilegedQKey(ctx context.Context, on bool) error {
	return s.nl.SetPrivilegedQKey(ctx, on)
}

// SetAdaptiveModeration switches the moderation of interrupts by load on or off,
// for completion queues that are made afterwards.
func (s *Subsystem) SetAdaptiveModeration(ctx context.Context, index uint32, on bool) error {
	return s.nl.SetAdaptiveModeration(ctx, index, on)
}

// AdaptiveModeration tells whether it is on.
func (s *Subsystem) AdaptiveModeration(ctx context.Context, index uint32) (rdma.Opt[bool], error) {
	d, err := s.nl.Device(ctx, index)
	return d.AdaptiveModeration, err
}

// AddSubDevice makes a sub-device of the type smi of a device.
func (s *Subsystem) AddSubDevice(ctx context.Context, parent uint32, name string) error {
	return s.nl.AddSubDevice(ctx, parent, name)
}

// MaxNodeDesc is how many octets a node description can have.
const MaxNodeDesc = sysfs.MaxNodeDesc

// SetNodeDesc gives a device another node description.
func SetNodeDesc(device, text string) error { return sysfs.Live().SetNodeDesc(device, text) }
