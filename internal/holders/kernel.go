package holders

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ibctl/ibctl/internal/nldev"
)

// kernelUser is what is known of a part of the kernel: how it takes a removal.
type kernelUser struct {
	effect Effect
	what   string
}

// kernelUsers are those that were seen to let go of a device that was removed
// under them, on Linux 6.1 and 7.3, or that are the RDMA core's own. One that is
// not here counts as blocking.
var kernelUsers = map[string]kernelUser{
	"ib_core":    {Harmless, "the RDMA core's own, for management datagrams"},
	"ib_cm":      {Harmless, "the connection manager's own"},
	"rdma_cm":    {Harmless, "the connection manager's own"},
	"ib_srp":     {CutOff, "SCSI over RDMA, initiator: its sessions end"},
	"ib_srpt":    {CutOff, "SCSI over RDMA, target: its sessions end"},
	"ib_ipoib":   {CutOff, "IP over InfiniBand: its network interfaces vanish"},
	"nvme_rdma":  {CutOff, "NVMe host: its controllers are deleted, and I/O on their disks fails"},
	"nvmet_rdma": {CutOff, "NVMe target: its connections are closed"},
	"rds_rdma":   {Told, "RDS: it connects again when the device returns"},
}

// kernelHolders groups the kernel's objects by the module that made them.
func kernelHolders(f Facts) []Holder {
	objects, listening := kernelObjects(f)
	var all []Holder
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		h := Holder{Device: f.Device.Name, Kind: KindKernel, Name: name, Objects: objects[name]}
		user, known := kernelUsers[name]
		switch {
		case listening[name] == total(objects[name]):
			h.Effect, h.Reason = Harmless, "listens on any address, and will again when the device returns"
		case known:
			h.Effect, h.Reason = user.effect, user.what
		default:
			h.Effect, h.Waits = Blocks, true
			h.Reason = "how it takes a removal is not known"
		}
		all = append(all, h)
	}
	return all
}

// kernelObjects counts objects by module and kind, and each module's listeners
// on any address. A QP that the connection manager made for somebody is his who
// has the id.
func kernelObjects(f Facts) (objects map[string]map[string]int, listening map[string]int) {
	objects, listening = map[string]map[string]int{}, map[string]int{}
	count := func(owner, kind string) {
		if owner == "" {
			return
		}
		if objects[owner] == nil {
			objects[owner] = map[string]int{}
		}
		objects[owner][kind]++
	}
	behind := map[uint32]string{}
	for _, id := range f.CMIDs {
		count(id.Owner.Kernel, "cm_id")
		if id.Owner.Kernel != "" && isWildcard(id) {
			listening[id.Owner.Kernel]++
		}
		if n, ok := id.LQPN.Get(); ok {
			behind[n] = id.Owner.Kernel
		}
	}
	for _, qp := range f.QPs {
		owner := qp.Owner.Kernel
		if by := behind[qp.LQPN]; owner == "rdma_cm" && by != "" {
			owner = by
		}
		count(owner, "qp")
	}
	for kind, list := range f.Objects {
		for _, o := range list {
			count(o.Owner.Kernel, string(kind))
		}
	}
	return objects, listening
}

// isWildcard tells a listener on any address, which the kernel puts on every
// device: a removal does not tell it, and it serves the device again afterwards.
func isWildcard(id nldev.CMID) bool {
	addr := id.Source.IP.Addr()
	return addr.IsValid() && addr.IsUnspecified()
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// upperHolders are the bonds that have one of the device's netdevs as a port.
func upperHolders(f Facts) []Holder {
	var all []Holder
	for _, u := range f.Uppers {
		if !u.Bond {
			continue
		}
		all = append(all, Holder{
			Device: f.Device.Name, Kind: KindKernel, Name: "bonding", Effect: Harmless,
			Reason: fmt.Sprintf("%s is a port of %s, and stays it", u.Netdev, u.Name),
		})
	}
	return all
}

// stack are the modules of the RDMA core and what belongs to it: every device is
// used by them.
var stack = map[string]bool{
	"ib_core": true, "ib_uverbs": true, "ib_uverbs_support": true, "ib_umad": true, "ib_cm": true, "iw_cm": true,
	"rdma_cm": true, "rdma_ucm": true,
}

// moduleHolders are modules that are in the way of unloading the driver or the
// RDMA core, though not of removing the device. Drivers are not among them, and
// neither is who has objects on the device: it is listed for those.
func moduleHolders(f Facts) []Holder {
	users, _ := kernelObjects(f)
	var all []Holder
	for _, m := range f.Modules {
		if stack[m.Name] || isDriver(m.Name) || users[m.Name] != nil {
			continue
		}
		all = append(all, Holder{
			Device: f.Device.Name, Kind: KindModule, Name: m.Name, Effect: Harmless,
			Reason: "keeps " + join(m.Uses) + " loaded, not the device",
		})
	}
	return all
}

func isDriver(module string) bool {
	return slices.Contains(slices.Collect(maps.Values(moduleOf)), module)
}
