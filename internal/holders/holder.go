package holders

import (
	"github.com/ibctl/ibctl/core/rdma"
)

// Kind is what sort of holder it is.
type Kind string

const (
	// KindProcess is a process, seen or known only by what it has made.
	KindProcess Kind = "process"
	// KindKernel is a part of the kernel that has objects on the device.
	KindKernel Kind = "kernel"
	// KindModule is a module that keeps the driver or the RDMA core loaded.
	KindModule Kind = "module"
	// KindSubDevice is an RDMA device that belongs to the device.
	KindSubDevice Kind = "subdevice"
	// KindClient is a client of ibctl itself.
	KindClient Kind = "client"
)

// Effect is what a removal of the device does to a holder, the worst first.
type Effect string

const (
	// Blocks: nothing tells the holder, and the removal waits for it, for ever if
	// need be.
	Blocks Effect = "blocks"
	// CutOff: its use of the device fails from one moment to the next.
	CutOff Effect = "cut_off"
	// Told: it is told, and can let go in order.
	Told Effect = "told"
	// Harmless: nothing it would notice.
	Harmless Effect = "harmless"
)

// severity orders effects.
var severity = map[Effect]int{Harmless: 0, Told: 1, CutOff: 2, Blocks: 3}

// Holder is one user of a device.
type Holder struct {
	// Device is what it holds; in the report on a device that has sub-devices it
	// may be one of those.
	Device string `json:"device"`
	Kind   Kind   `json:"kind"`
	// Name is a process's name in the kernel, a module's, a device's or a
	// client's; empty for a process that cannot be seen. Anybody may give his
	// process any name.
	Name   string `json:"name,omitempty"`
	Effect Effect `json:"effect"`
	// Waits tells whether the removal waits until the holder lets go. One that
	// is told may do so by itself; whether it will is not known.
	Waits  bool   `json:"waits"`
	Reason string `json:"reason"`

	Process
	Descriptors []Descriptor `json:"descriptors,omitempty"`
	// Objects counts what it has made: "ctx", "pd", "cq", "qp", "mr", "srq",
	// "cm_id".
	Objects map[string]int `json:"objects,omitempty"`
}

// Process says which process a holder is.
type Process struct {
	PID rdma.Opt[int] `json:"pid,omitzero"`
	// Started tells it from another process with the same pid: clock ticks from
	// boot (proc_pid_stat(5)).
	Started uint64           `json:"started,omitempty"`
	Command []string         `json:"command,omitempty"`
	UID     rdma.Opt[uint32] `json:"uid,omitzero"`
	User    string           `json:"user,omitempty"`
	// Unit, Pod, Container and SlurmJob say whose process it is, as far as its
	// control group tells.
	Unit      string `json:"unit,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"`
	SlurmJob  string `json:"slurm_job,omitempty"`
}

// Descriptor is a character device that a process has open, or mapped.
type Descriptor struct {
	// FD is unknown for a file that is mapped and has no descriptor.
	FD   rdma.Opt[int] `json:"fd,omitzero"`
	Name string        `json:"name"` // below /dev/infiniband
	// Inherited tells whether another process opened it; unknown where that
	// cannot be told.
	Inherited rdma.Opt[bool] `json:"inherited,omitzero"`
	// Creator is the process that opened an inherited one, while it exists.
	Creator rdma.Opt[int] `json:"creator,omitzero"`
	// CreatorEnded tells that the task that made the context on it is no more: a
	// process that this one inherited it from, or a thread of its own.
	CreatorEnded bool `json:"creator_ended,omitempty"`
}

// Report is who holds a device.
type Report struct {
	Device rdma.Device
	// Holders has the worst effects first.
	Holders []Holder
	// Unseen says, a sentence each, what could not be looked at.
	Unseen []string
}

// Waiting returns the holders that a removal would wait for.
func (r Report) Waiting() []Holder {
	return r.filter(func(h Holder) bool { return h.Waits })
}

// CutOff returns those for whom the device would vanish in mid-use.
func (r Report) CutOff() []Holder {
	return r.filter(func(h Holder) bool { return h.Effect == CutOff })
}

func (r Report) filter(keep func(Holder) bool) (kept []Holder) {
	for _, h := range r.Holders {
		if keep(h) {
			kept = append(kept, h)
		}
	}
	return kept
}
