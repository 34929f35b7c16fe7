package roce

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sourcegid"
)

// candidate is a GID that a question may be answered with.
type candidate struct {
	entry rdma.GIDEntry
	link  rdma.LinkLayer
	state rdma.Opt[rdma.PortState]
	order uint32 // the device's index: the kernel looks at them in that order
	used  rdma.GIDType

	chosen bool
	reason string
}

func (c candidate) place() string {
	return fmt.Sprintf("%s/%d/%d", c.entry.Device, c.entry.Port, c.entry.Index)
}

func (c candidate) class() sourcegid.Class { return sourcegid.ClassOf(c.entry, c.link) }

// compare is the order of preference.
func (c candidate) compare(d candidate) int {
	return cmp.Or(cmp.Compare(c.class(), d.class()), c.compareSlots(d))
}

// compareSlots is the order in which the kernel looks at them.
func (c candidate) compareSlots(d candidate) int {
	return cmp.Or(cmp.Compare(c.order, d.order), cmp.Compare(c.entry.Device, d.entry.Device),
		cmp.Compare(c.entry.Port, d.entry.Port), cmp.Compare(c.entry.Index, d.entry.Index))
}

// candidates lists the GIDs of a device's ports. A table that can't be read is a
// warning.
func (c *Client) candidates(ctx context.Context, dev *plugin.Device, q question) (all []candidate, warnings []rdma.Warning) {
	info := dev.Info()
	for _, p := range info.Ports {
		if number, asked := q.port.Get(); asked && number != p.Number {
			continue
		}
		table, more, err := dataOf(dev).dir.GIDs(ctx, info.Name, p.Number, false)
		warnings = append(warnings, more...)
		if err != nil {
			warnings = append(warnings, rdma.Warning{Object: fmt.Sprintf("%s/%d", info.Name, p.Number), Op: "read GID table", Err: err})
			continue
		}
		used, err := c.usedType(q, info.Name, p, table.Entries)
		if err != nil {
			warnings = append(warnings, rdma.Warning{Object: fmt.Sprintf("%s/%d", info.Name, p.Number), Op: "read default RoCE mode, took " + string(used), Err: err})
		}
		state := dataOf(dev).dir.PortState(p.Number)
		for _, e := range table.Entries {
			all = append(all, candidate{entry: e, link: p.LinkLayer, state: state, order: dev.ID().Index, used: used})
		}
	}
	return all, warnings
}

// usedType is the type that the answer must have; "" for any. Connections have
// that of their port, unless the question says otherwise.
func (c *Client) usedType(q question, device string, p rdma.Port, entries []rdma.GIDEntry) (rdma.GIDType, error) {
	if q.typ != "" || !q.connection {
		return q.typ, nil
	}
	return sourcegid.DefaultType(c.configfs, device, p.Number, p.LinkLayer, entries)
}

// choose chooses one of all, and says of each why, or why not.
func (q question) choose(all []candidate) {
	best := -1
	for i := range all {
		all[i].reason = q.against(all[i])
		if all[i].reason == "" && (best < 0 || all[i].compare(all[best]) < 0) {
			best = i
		}
	}
	for i := range all {
		switch {
		case i == best:
			all[i].chosen, all[i].reason = true, q.favour(all[i])
		case all[i].reason == "":
			all[i].reason = q.behind(all[i], all[best])
		}
	}
	slices.SortFunc(all, candidate.compareSlots)
}

// against says why a candidate does not fit; "" if it does.
func (q question) against(c candidate) string {
	e := c.entry
	if q.connection {
		switch {
		case e.Netdev != "" && e.Netdev != q.over:
			return fmt.Sprintf("it is on %s, and %s", e.Netdev, q.way())
		case e.GID != q.gid:
			return fmt.Sprintf("the source address is another one, %v", q.gid.Addr())
		}
	}
	switch {
	case q.netdev != "" && e.Netdev != q.netdev:
		return fmt.Sprintf("it is on %s, not on %s", cmp.Or(e.Netdev, "no interface"), q.netdev)
	case c.used != "" && e.Type != c.used && q.typ != "":
		return fmt.Sprintf("its type is %s, not %s", typeText(e.Type), q.typ)
	case c.used != "" && e.Type != c.used:
		return fmt.Sprintf("its type is %s, and connections of the port use %s", typeText(e.Type), c.used)
	case c.class() == sourcegid.Unusable:
		return "its type is not known"
	case !q.connection && down(c.state):
		return fmt.Sprintf("the port is %v: libraries pass it over", c.state.Or(rdma.PortDown))
	}
	return ""
}

// way says where the netdev of a connection comes from.
func (q question) way() string {
	if q.to.IsValid() {
		return fmt.Sprintf("the route to %v leads over %s", q.to.WithZone(""), q.over)
	}
	return fmt.Sprintf("%v is on %s", q.from.WithZone(""), q.over)
}

func typeText(t rdma.GIDType) string { return cmp.Or(string(t), "not known") }

func down(state rdma.Opt[rdma.PortState]) bool {
	s, known := state.Get()
	return known && s != rdma.PortActive && s != rdma.PortActiveDefer
}

// favour says why the chosen one is chosen.
func (q question) favour(c candidate) string {
	if q.connection {
		return fmt.Sprintf("the source address; %s", q.way())
	}
	return c.class().String()
}

// behind says why one that fits is not chosen.
func (q question) behind(c, best candidate) string {
	switch {
	case q.connection:
		return "it fits, too, and the kernel takes the first: " + best.place()
	case c.class() != best.class():
		return fmt.Sprintf("%v; %s is %v", c.class(), best.place(), best.class())
	}
	return "as good as " + best.place() + ", which comes first"
}
