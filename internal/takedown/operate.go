package takedown

import (
	"context"
	"errors"
	"time"

	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/journal"
)

// operate asks the kernel to do what the devices were drained for. From here on
// there is no way back: only the kernel's refusal leaves things as they were.
func (j *Job) operate(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if j.Losses != nil {
		j.Warnings = append(j.Warnings, j.Losses.remember(ctx)...)
	}
	start := time.Now()
	j.tell(journal.Event{Kind: EventOperation, Text: j.Operation.String()})
	err := j.Operation.Perform(j.caller, j.Limit, j.Progress)
	if stuck, ok := errors.AsType[*StuckError](err); ok {
		stuck.Holders = j.holding()
		j.tell(journal.Event{Kind: EventStuck, Text: stuck.Where.String(), PID: stuck.PID})
		return err
	}
	answered := journal.Event{Kind: EventOperated, Text: j.Operation.String(), TookMS: ms(start)}
	if err != nil {
		answered.Error = err.Error()
		j.tell(answered)
		return err
	}
	j.tell(answered)
	j.operated = true
	j.did(Step{Device: j.subject(), Action: Operate, Operation: j.Operation.Kind, Detail: j.Operation.String(), TookMS: ms(start)})
	if j.Losses != nil {
		j.restore(j.caller)
	}
	return nil
}

// restore sees to what the operation has made the kernel forget.
func (j *Job) restore(ctx context.Context) {
	done, warnings := j.Losses.putBack(ctx)
	j.Warnings = append(j.Warnings, warnings...)
	for _, what := range done {
		j.did(Step{Device: j.subject(), Action: PutBack, Detail: what})
	}
}

// holding looks once more who has the devices, for those who wonder why the
// kernel waits. It has a time of its own: the caller's may be over.
func (j *Job) holding() []holders.Holder {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	reports, _, err := j.Look(ctx)
	if err != nil {
		return nil
	}
	var all []holders.Holder
	for _, r := range reports {
		all = append(all, r.Waiting()...)
	}
	return all
}
