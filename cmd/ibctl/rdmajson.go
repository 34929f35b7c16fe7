package main

import (
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/resources"
	"github.com/ibctl/ibctl/internal/subsystem"
)

// What rdma -j prints, member by member. Absent is what the kernel does not tell.

// rdmaDevices is rdma -j dev show.
func rdmaDevices(devices []rdma.Device) (objects []output.Object) {
	for _, d := range devices {
		var o output.Object
		addKnown(&o, "ifindex", d.Index)
		o.Add("ifname", d.Name)
		o.AddText("node_type", text(d.NodeType))
		o.AddText("protocol", string(d.Protocol))
		o.AddText("fw", d.Firmware)
		o.AddText("node_guid", text(d.NodeGUID))
		o.AddText("sys_image_guid", text(d.SysImageGUID))
		o.AddText("type", d.Type)
		o.AddText("parent", d.Parent)
		objects = append(objects, o)
	}
	return objects
}

// addKnown adds a member whose value is known.
func addKnown[T any](o *output.Object, key string, value rdma.Opt[T]) {
	if v, ok := value.Get(); ok {
		o.Add(key, v)
	}
}

// rdmaCMIDs is rdma -j resource show cm_id, whose pid is the number of a thread.
func rdmaCMIDs(ids []cmID) (objects []output.Object) {
	for _, id := range ids {
		var o output.Object
		addKnown(&o, "ifindex", id.index)
		o.Add("ifname", id.Device)
		addKnown(&o, "port", id.Port)
		addKnown(&o, "cm-idn", id.Number)
		addKnown(&o, "lqpn", id.QPN)
		o.AddText("qp-type", id.QPType)
		o.AddText("state", id.State)
		o.AddText("ps", id.PortSpace)
		addKnown(&o, "pid", id.TID)
		o.AddText("comm", id.Comm)
		o.AddText("src-addr", id.Source)
		o.AddText("dst-addr", id.Destination)
		objects = append(objects, o)
	}
	return objects
}

// rdmaStats is rdma -j statistic show: an object for each port. What rdma does not
// have is left out: the management agent's counters, and those of whole devices.
func rdmaStats(items []statItem) (objects []output.Object) {
	last := ""
	for _, i := range items {
		port, ok := i.Port.Get()
		if !ok || i.Source == counters.PMA {
			continue
		}
		if i.name() != last {
			last = i.name()
			objects = append(objects, output.Object{{Key: "ifname", Value: i.Device}, {Key: "port", Value: port}})
		}
		objects[len(objects)-1].Add(i.Name, i.Value)
	}
	return objects
}

// rdmaPorts is rdma -j link show.
func rdmaPorts(items []portItem) (objects []output.Object) {
	for _, p := range items {
		var o output.Object
		addKnown(&o, "ifindex", p.DeviceIndex)
		o.Add("ifname", p.Device)
		o.Add("port", p.Number)
		o.AddText("subnet_prefix", text(p.SubnetPrefix))
		addKnown(&o, "lid", p.LID)
		addKnown(&o, "sm_lid", p.SMLID)
		addKnown(&o, "lmc", p.LMC)
		o.AddText("state", text(p.State))
		o.AddText("physical_state", text(p.PhysState))
		o.AddText("netdev", p.Netdev)
		addKnown(&o, "netdev_index", p.NetdevIndex)
		objects = append(objects, o)
	}
	return objects
}

// rdmaSystem is what rdma -j system show would print, were that not text.
func rdmaSystem(states []subsystem.State) (objects []output.Object) {
	for _, s := range states {
		var o output.Object
		o.AddText("netns", text(s.Netns))
		addKnown(&o, "privileged-qkey", s.PrivilegedQKey)
		addKnown(&o, "monitor", s.Monitor)
		addKnown(&o, "copy-on-fork", s.CopyOnFork)
		objects = append(objects, o)
	}
	return objects
}

// rdmaQPSets is rdma -j statistic qp show.
func rdmaQPSets(sets []counters.QPSet) (objects []output.Object) {
	for _, s := range sets {
		var o output.Object
		addKnown(&o, "ifindex", s.DeviceIndex)
		o.Add("ifname", s.Device)
		addKnown(&o, "port", s.Port)
		o.Add("cntn", s.ID)
		o.AddText("qp-type", s.Type)
		addKnown(&o, "pid", s.PID)
		o.AddText("comm", s.Comm)
		for _, c := range s.Counters {
			o.Add(c.Name, c.Value)
		}
		o.Add("lqpn", s.QPs)
		objects = append(objects, o)
	}
	return objects
}

// rdmaMRSets is rdma -j statistic show mr.
func rdmaMRSets(sets []counters.MRSet) (objects []output.Object) {
	for _, s := range sets {
		var o output.Object
		addKnown(&o, "ifindex", s.DeviceIndex)
		o.Add("ifname", s.Device)
		addKnown(&o, "mrn", s.MRN)
		for _, c := range s.Counters {
			o.Add(c.Name, c.Value)
		}
		objects = append(objects, o)
	}
	return objects
}

// rdmaModes is rdma -j statistic mode: the ports that have an optional counter on,
// and which.
func rdmaModes(modes []counters.Mode) (objects []output.Object) {
	for _, m := range modes {
		var on []string
		for _, c := range m.Optional {
			if c.On {
				on = append(on, c.Name)
			}
		}
		if len(on) > 0 {
			objects = append(objects, output.Object{{Key: "ifname", Value: m.Device}, {Key: "port", Value: m.Port}, {Key: "optional-counters", Value: on}})
		}
	}
	return objects
}

// rdmaEvent is an object of rdma -j monitor.
func rdmaEvent(e host.KernelEvent) (o output.Object) {
	o.Add("event_type", "["+e.Type.String()+"]")
	addKnown(&o, "rdma_index", e.Index)
	o.AddText("rdma_dev", e.Name)
	addKnown(&o, "port", e.Port)
	addKnown(&o, "netdev_idx", e.NetdevIndex)
	o.AddText("netdev_name", e.Netdev)
	return o
}

// rdmaMembers are the members of each kind's objects in their order, under our
// names; those of the driver follow.
var rdmaMembers = map[resources.Kind][]string{
	resources.QP:   {"port", "lqpn", "rqpn", "type", "subtype", "state", "rq_psn", "sq_psn", "path_mig_state", "pdn", "tid", "comm"},
	resources.CQ:   {"cqn", "cqe", "users", "poll_ctx", "adaptive_moderation", "ctxn", "tid", "comm"},
	resources.MR:   {"mrn", "rkey", "lkey", "iova", "mrlen", "pdn", "tid", "comm"},
	resources.PD:   {"pdn", "local_dma_lkey", "users", "unsafe_global_rkey", "ctxn", "tid", "comm"},
	resources.Ctx:  {"ctxn", "tid", "comm"},
	resources.SRQ:  {"srqn", "type", "lqpn", "pdn", "cqn", "tid", "comm"},
	resources.CMID: {"port", "cm_idn", "lqpn", "qp_type", "state", "ps", "tid", "comm", "src_addr", "dst_addr"},
}

// rdmaNames are the members that rdma has another name for. What it calls pid is
// the number of a thread.
var rdmaNames = map[string]string{
	"rq_psn": "rq-psn", "sq_psn": "sq-psn", "path_mig_state": "path-mig-state", "poll_ctx": "poll-ctx", "adaptive_moderation": "adaptive-moderation",
	"cm_idn": "cm-idn", "qp_type": "qp-type", "src_addr": "src-addr", "dst_addr": "dst-addr", "tid": "pid",
}

// rdmaResources is rdma -j resource show of one kind, or rdma -j -dd with what the
// driver adds.
func rdmaResources(k resources.Kind, driver bool) func([]resources.Attrs) []output.Object {
	return func(items []resources.Attrs) (objects []output.Object) {
		for _, l := range items {
			o := rdmaDevice(l)
			for _, key := range rdmaMembers[k] {
				if a, ok := rdmaMember(l, key); ok {
					addRDMA(&o, a)
				}
			}
			for _, a := range l {
				if driver && strings.HasPrefix(a.Key, "drv_") {
					addRDMADriver(&o, a)
				}
			}
			objects = append(objects, o)
		}
		return objects
	}
}

// rdmaDevice begins an object with its device.
func rdmaDevice(l resources.Attrs) (o output.Object) {
	if index, ok := l.Get("device_index"); ok {
		o.Add("ifindex", index.Value)
	}
	o.Add("ifname", l.Text("device"))
	return o
}

// rdmaMember finds an attribute. The name of an owner is that of its thread, and a
// kernel module's stands without brackets.
func rdmaMember(l resources.Attrs, key string) (resources.Attr, bool) {
	a, ok := l.Get(key)
	if key != "comm" || !ok {
		return a, ok
	}
	if thread, known := l.Get("thread"); known {
		return resources.Attr{Key: key, Value: thread.Value}, true
	}
	if _, process := l.Get("tid"); !process {
		a.Value = strings.TrimSuffix(strings.TrimPrefix(a.Text(), "["), "]")
	}
	return a, true
}

// addRDMA adds an attribute. Numbers that people know in hexadecimal are texts
// without a prefix, and here they have all their bits.
func addRDMA(o *output.Object, a resources.Attr) {
	name, renamed := rdmaNames[a.Key]
	if !renamed {
		name = a.Key
	}
	if n, ok := a.Value.(uint64); ok && a.Hex {
		o.Add(name, strconv.FormatUint(n, 16))
		return
	}
	o.Add(name, a.JSONValue())
}

// addRDMADriver adds an attribute of the driver's, whose hexadecimal numbers have
// a prefix.
func addRDMADriver(o *output.Object, a resources.Attr) {
	if a.Hex {
		o.Add(a.Key, a.Text())
		return
	}
	o.Add(a.Key, a.JSONValue())
}

// rdmaCounts is rdma -j resource show, which knows no limits.
func rdmaCounts(items []resources.Attrs) (objects []output.Object) {
	for _, l := range items {
		o := rdmaDevice(l)
		for _, a := range l {
			if a.Key != "device" && a.Key != "device_index" && !strings.HasSuffix(a.Key, "_max") {
				o.Add(a.Key, a.Value)
			}
		}
		objects = append(objects, o)
	}
	return objects
}
