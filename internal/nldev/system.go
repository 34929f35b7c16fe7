package nldev

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// NetnsMode tells how the RDMA subsystem treats network namespaces.
type NetnsMode string

const (
	// NetnsShared: all namespaces see all devices.
	NetnsShared NetnsMode = "shared"
	// NetnsExclusive: a device belongs to one namespace.
	NetnsExclusive NetnsMode = "exclusive"
)

// System is the state of the whole RDMA subsystem. What the kernel is too old
// to tell is unknown.
type System struct {
	NetnsMode      rdma.Opt[NetnsMode] `json:"netns_mode,omitzero"`
	PrivilegedQKey rdma.Opt[bool]      `json:"privileged_qkey,omitzero"`
	// Monitor tells whether the kernel sends events to [Monitor].
	Monitor    rdma.Opt[bool] `json:"monitor,omitzero"`
	CopyOnFork rdma.Opt[bool] `json:"copy_on_fork,omitzero"`
}

// System reads the state of the RDMA subsystem (SYS_GET). Kernels before 5.2
// lack it: an [UnsupportedError] says so.
func (c *Conn) System(ctx context.Context) (System, error) {
	var s System
	err := c.ask(ctx, request{op: cmdSysGet},
		func() { s = System{} },
		func(payload []byte) (err error) {
			s, err = decodeSystem(payload)
			return err
		})
	if errors.Is(err, unix.EINVAL) {
		err = &UnsupportedError{Feature: "RDMA system state", Since: "5.2", Cause: err}
	}
	return s, err
}

func decodeSystem(payload []byte) (System, error) {
	var s System
	if err := eachAttr(payload, s.set); err != nil {
		return System{}, err
	}
	return s, nil
}

func (s *System) set(a attr) error {
	switch a.typ {
	case attrNetnsMode:
		return into(&s.NetnsMode, a, attr.netnsMode)
	case attrPrivilegedQKey:
		return into(&s.PrivilegedQKey, a, attr.flag)
	case attrMonitorMode:
		return into(&s.Monitor, a, attr.flag)
	case attrCopyOnFork:
		return into(&s.CopyOnFork, a, attr.flag)
	}
	return nil
}

// netnsMode reads a boolean: nldev.c sends ib_devices_shared_netns as it is.
func (a attr) netnsMode() (NetnsMode, error) {
	shared, err := a.flag()
	if shared {
		return NetnsShared, err
	}
	return NetnsExclusive, err
}
