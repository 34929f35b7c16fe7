package holders

import (
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/procfs"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// Facts are what was read about one device and its users at one time.
type Facts struct {
	Device rdma.Device
	Driver Driver

	// Open are the device's character devices that processes have open.
	Open []OpenFile
	// Processes are those that Open, or an object's owner, mentions, as far as
	// they could be read.
	Processes map[int]procfs.Process
	// Hidden counts processes that could not be looked into.
	Hidden int
	// WholeHost tells whether all processes of the host can be seen at all.
	WholeHost bool

	Contexts []nldev.Object
	// Objects are PDs, CQs, MRs and SRQs.
	Objects map[nldev.ObjectKind][]nldev.Object
	QPs     []nldev.QP
	CMIDs   []nldev.CMID

	// Modules are those that use the driver or the RDMA core, and the modules
	// they use.
	Modules []ModuleUse
	// Uppers are the netdevs that the device's own are ports of.
	Uppers     []Upper
	SubDevices []Facts
	// Clients are ibctl's own.
	Clients []Client
}

// eachOwner calls each for the owner of every object.
func eachOwner(f *Facts, each func(*nldev.Owner)) {
	for i := range f.Contexts {
		each(&f.Contexts[i].Owner)
	}
	for _, list := range f.Objects {
		for i := range list {
			each(&list[i].Owner)
		}
	}
	for i := range f.QPs {
		each(&f.QPs[i].Owner)
	}
	for i := range f.CMIDs {
		each(&f.CMIDs[i].Owner)
	}
}

// OpenFile is a character device that a process has open, or mapped.
type OpenFile struct {
	PID  int
	FD   rdma.Opt[int] // unknown: it is mapped and has no descriptor
	Name string        // "uverbs0"
	// File is the same for descriptors that are one open file: it is closed when
	// the last of them is. Zero where that could not be compared.
	File int
}

// ModuleUse is a module and which others it keeps loaded.
type ModuleUse struct {
	Name string
	Uses []string
}

// Upper is a netdev that has one of the device's netdevs as a port.
type Upper struct {
	Netdev, Name string
	Bond         bool
}

// Client is a client of ibctl on the device.
type Client struct {
	Name string
	// PID is that of its plugin process, if it has one.
	PID rdma.Opt[int]
}

// Driver is what there is to know of the driver of a device.
type Driver struct {
	// Module has the code: "mlx5_ib", "rdma_rxe".
	Module string
	// Disassociates tells whether it can take an open device away from a
	// process.
	Disassociates rdma.Opt[bool]
	// Unaccounted counts references on the module that no open file explains;
	// unknown where references do not stand for open files.
	Unaccounted rdma.Opt[int]
}

// moduleUses tells which of the used modules each of their users keeps loaded.
func moduleUses(used []sysfs.Module) []ModuleUse {
	index := map[string]int{}
	var all []ModuleUse
	for _, m := range used {
		for _, user := range m.Holders {
			i, known := index[user]
			if !known {
				i, index[user] = len(all), len(all)
				all = append(all, ModuleUse{Name: user})
			}
			all[i].Uses = append(all[i].Uses, m.Name)
		}
	}
	return all
}
