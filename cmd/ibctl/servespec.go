package main

import (
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/plugins/cm"
)

// daemonSpec says how ibctl serve starts a client of its configuration.
func (inv *invocation) daemonSpec(c config.Client, conf config.Config) (supervisor.Spec, error) {
	if c.Path != "" {
		return supervisor.Spec{Name: c.Name, Path: c.Path, SHA256: c.SHA256, Args: c.Args, Env: c.Env, Config: c.Config, HostPIDs: c.HostPIDs}, nil
	}
	specs, err := inv.specs([]string{c.Name})
	if err != nil {
		return supervisor.Spec{}, err
	}
	spec := specs[0]
	// A captured tree has no connection manager to set anything in.
	if c.Name == cm.Name && inv.root == "" && len(conf.CM.Defaults) > 0 {
		spec.Config = mustJSON(cm.Config{Defaults: cmDefaultsOf(conf.CM)})
	}
	return spec, nil
}

// cmDefaultsOf says in the client's words what the configuration says.
func cmDefaultsOf(conf config.CM) []cm.DeviceDefaults {
	list := make([]cm.DeviceDefaults, 0, len(conf.Defaults))
	for _, d := range conf.Defaults {
		entry := cm.DeviceDefaults{Device: d.Device, Port: d.Port}
		entry.RoCEMode = rdma.GIDType(d.RoCEMode)
		if tos, ok := d.TOS.Get(); ok {
			entry.TOS = rdma.Known(cm.TOS(tos))
		}
		list = append(list, entry)
	}
	return list
}
