package takedown

import (
	"context"

	"github.com/ibctl/ibctl/internal/holders"
)

// Plan looks who holds the devices, and fills Steps with what Run would do now.
// It changes nothing. The error is the one that Run would return at once.
func (j *Job) Plan(ctx context.Context) error {
	reports, warnings, err := j.Look(ctx)
	if err != nil {
		return err
	}
	j.Warnings = warnings
	var busy []*BusyError
	for _, r := range reports {
		for _, h := range r.Holders {
			if j.inTheWay(h) {
				busy = append(busy, &BusyError{Device: r.Device.Name, Holder: h})
			}
		}
	}
	refusal := j.mayGoOn(busy)
	j.planHolders(reports)
	if refusal != nil && j.Eviction == NoEviction {
		return nil // who is in the way is in the steps
	}
	j.planRest(reports)
	return refusal
}

// planHolders says what becomes of each holder, those in the way first.
func (j *Job) planHolders(reports []holders.Report) {
	for _, r := range reports {
		for _, h := range r.Holders {
			switch {
			case j.inTheWay(h) && j.Eviction == NoEviction:
				j.plan(Step{Device: h.Device, Action: Refuse, Holder: &h})
			case j.inTheWay(h):
				j.plan(Step{Device: h.Device, Action: Evict, Holder: &h})
			case h.Kind == holders.KindClient:
			case h.Effect == holders.CutOff:
				j.plan(Step{Device: h.Device, Action: CutOff, Holder: &h})
			default:
				j.plan(Step{Device: h.Device, Action: Leave, Holder: &h})
			}
		}
	}
}

// planRest is what follows where nobody is in the way.
func (j *Job) planRest(reports []holders.Report) {
	for _, d := range j.Devices {
		for _, r := range reports {
			for i := len(r.Holders) - 1; i >= 0; i-- { // the last one added is the first to go
				if h := r.Holders[i]; h.Kind == holders.KindClient && h.Device == d.Name {
					j.plan(Step{Device: d.Name, Action: TakeOff, Holder: &h})
				}
			}
		}
	}
	j.plan(Step{Device: j.subject(), Action: LookAgain})
	if j.Operation == nil {
		for _, d := range j.Devices {
			j.plan(Step{Device: d.Name, Action: Drained})
		}
		return
	}
	j.plan(Step{Device: j.subject(), Action: Operate, Operation: j.Operation.Kind, Detail: j.Operation.String()})
	if j.Losses != nil {
		j.plan(Step{Device: j.subject(), Action: PutBack, Detail: j.Losses.String()})
	}
}

func (j *Job) plan(s Step) { j.Steps = append(j.Steps, s) }
