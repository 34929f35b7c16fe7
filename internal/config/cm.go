package config

import (
	"path"

	"go.yaml.in/yaml/v3"

	"github.com/ibctl/ibctl/core/rdma"
)

func (p *parser) cm(n *yaml.Node, key string, cm *CM) {
	p.mapping(n, key, fields{
		{"defaults", func(n *yaml.Node, key string) {
			p.list(n, key, func(n *yaml.Node, key string) {
				cm.Defaults = append(cm.Defaults, p.cmDefault(n, key))
			})
		}},
	})
}

func (p *parser) cmDefault(n *yaml.Node, key string) CMDefault {
	var d CMDefault
	var dscp rdma.Opt[uint8]
	p.mapping(n, key, fields{
		p.text("device", &d.Device),
		p.number("port", 1, 1<<32-1, func(v int64) { d.Port = rdma.Known(uint32(v)) }),
		{"roce_mode", func(n *yaml.Node, key string) { d.RoCEMode = p.roceMode(n, key) }},
		p.number("tos", 0, 255, func(v int64) { d.TOS = rdma.Known(uint8(v)) }),
		p.number("dscp", 0, 63, func(v int64) { dscp = rdma.Known(uint8(v)) }),
	})
	p.checkCMDefault(n, key, d, dscp.IsKnown())
	if v, ok := dscp.Get(); ok {
		d.TOS = rdma.Known(v << 2)
	}
	return d
}

func (p *parser) checkCMDefault(n *yaml.Node, key string, d CMDefault, dscp bool) {
	_, badPattern := path.Match(d.Device, "")
	switch {
	case d.Device == "":
		p.fail(n, key, "has no device")
	case badPattern != nil:
		p.fail(n, key, "device %q: a pattern that makes no sense", d.Device)
	case d.TOS.IsKnown() && dscp:
		p.fail(n, key, "has tos and dscp, which is the upper six bits of it")
	case !d.TOS.IsKnown() && !dscp && d.RoCEMode == "":
		p.fail(n, key, "sets nothing: want roce_mode, tos or dscp")
	}
}

// roceMode takes ibctl's words and the kernel's
// (drivers/infiniband/core/cma_configfs.c).
func (p *parser) roceMode(n *yaml.Node, key string) string {
	modes := map[string]string{
		"v1": "IB/RoCE v1", "IB/RoCE v1": "IB/RoCE v1",
		"v2": "RoCE v2", "RoCE v2": "RoCE v2",
	}
	mode, ok := modes[followed(n).Value]
	if !ok {
		p.fail(n, key, "want v1 or v2")
	}
	return mode
}
