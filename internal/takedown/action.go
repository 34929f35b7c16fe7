package takedown

import (
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/holders"
)

// Action says what a step does.
type Action string

const (
	// Refuse: the holder is in the way, and nothing goes on.
	Refuse Action = "refuse"
	// Evict: the holder's process is ended.
	Evict Action = "evict"
	// CutOff: the holder loses the device in mid-use, which was asked for.
	CutOff Action = "cut_off"
	// Leave: the holder is left alone; it can bear what comes.
	Leave Action = "leave"
	// TakeOff: Remove of the client of ibctl is called and waited for.
	TakeOff Action = "take_off"
	// LookAgain: holders are looked for until none is found twice in a row.
	LookAgain Action = "look_again"
	// Drained: the device stays drained.
	Drained Action = "stay_drained"
	// Operate: the kernel is asked to do Step.Operation.
	Operate Action = "operate"
	// PutBack: what the operation loses is set again.
	PutBack Action = "put_back"
)

// Step is one step of a Job: planned, or done. It is the item of a Takedown
// document.
type Step struct {
	Device string `json:"device"`
	Action Action `json:"action"`
	// Done tells whether it was done, and not just planned.
	Done bool `json:"done"`
	// Holder is whom it concerns.
	Holder *holders.Holder `json:"holder,omitempty"`
	// Operation is what the kernel is asked for.
	Operation Kind `json:"operation,omitzero"`
	// Detail says more, in a sentence.
	Detail string `json:"detail,omitzero"`
	// TookMS is how long it took, in milliseconds.
	TookMS rdma.Opt[float64] `json:"took_ms,omitzero"`
}
