package takedown

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/journal"
)

// Kinds of events that a Job adds to a journal.
const (
	// EventBlocked: Holders were in the way, and nothing went on.
	EventBlocked = "takedown-blocked"
	// EventEvicting: Holders are being ended, by the signal in Text.
	EventEvicting = "takedown-evicting"
	// EventOperation: the kernel is about to be asked to do Text.
	EventOperation = "takedown-operation"
	// EventOperated: it has answered, with Error if it refused.
	EventOperated = "takedown-operated"
	// EventStuck: it has not answered in time; Text says where it waits.
	EventStuck = "takedown-stuck"
)

// How long things take, and are given.
const (
	// lookPause is between two looks that are to see the same.
	lookPause = 50 * time.Millisecond
	pollPause = 100 * time.Millisecond
	// defaultGrace is how long a process has to end by itself.
	defaultGrace = 10 * time.Second
	// killPatience is how long SIGKILL is given: the kernel may be cleaning up.
	killPatience = 30 * time.Second
	// maxEvictions is how often holders that come again are evicted.
	maxEvictions = 3
)

// Job takes devices down together.
type Job struct {
	// Devices are to be drained, in this order: sub-devices before what they
	// belong to.
	Devices []rdma.Device
	// Look reads who holds them.
	Look func(context.Context) ([]holders.Report, []rdma.Warning, error)
	// Service is where ibctl's clients are.
	Service Service
	// Operation is what it is all for; nil where being drained is.
	Operation *Operation
	// Losses are what the operation makes the kernel forget, to be set again; nil
	// where it forgets nothing.
	Losses *Losses
	// Keep lets the devices stay drained.
	Keep bool
	// CutOff accepts that holders lose the device in mid-use.
	CutOff bool
	// Eviction ends those who are in the way, and Grace is how long they have; 10
	// seconds if zero.
	Eviction Eviction
	Grace    time.Duration
	// Limit is how long the kernel is given for the operation.
	Limit time.Duration
	// Progress is told, in a sentence, who is waited for. It may be nil.
	Progress func(string)

	// Steps are what was done, and Warnings what could not be looked at.
	Steps    []Step
	Warnings []rdma.Warning

	sessions []Session
	// caller is Run's context. What the kernel has begun does not end with the
	// session that it was begun in.
	caller   context.Context
	operated bool
}

// Service is where ibctl's own clients are on devices.
type Service interface {
	// Drain takes the clients off d, calls do, and carries its verdict out. That
	// ctx ends is told to do, and to whoever is waited for; the clients are put
	// back where it ends before do is called.
	Drain(ctx context.Context, d rdma.Device, do func(context.Context, Session) Verdict) error
}

// Session is a device whose clients are off.
type Session struct {
	// Clients are those that were taken off, in that order.
	Clients []string
	Took    time.Duration
	// Note adds an event to the journal, if there is one.
	Note func(journal.Event)
}

// Verdict says what becomes of a device whose clients are off.
type Verdict struct {
	// Failed puts it back into service.
	Failed error
	// Keep lets it stay drained until it is undrained.
	Keep bool
}

// Run does the job. With a [Busy] error nothing was changed, but for holders that
// were evicted.
func (j *Job) Run(ctx context.Context) error {
	j.caller = ctx
	busy, err := j.look(ctx)
	if err != nil {
		return err
	}
	if err := j.mayGoOn(busy); err != nil {
		return err
	}
	return j.drainAll(ctx, j.Devices)
}

// mayGoOn refuses where somebody is in the way and cannot be evicted.
func (j *Job) mayGoOn(busy []*BusyError) error {
	if len(busy) == 0 {
		return nil
	}
	if j.Eviction == NoEviction {
		return asBusy(busy)
	}
	victims, err := seizeAll(busy)
	for _, v := range victims {
		v.close()
	}
	return err
}

func asBusy(list []*BusyError) Busy {
	var all Busy
	for _, b := range list {
		all = append(all, b)
	}
	return all
}

// look reads the holders, and returns those who are in the way.
func (j *Job) look(ctx context.Context) ([]*BusyError, error) {
	reports, warnings, err := j.Look(ctx)
	if err != nil {
		return nil, err
	}
	j.Warnings = warnings // the latest look says it all
	var busy []*BusyError
	for _, r := range reports {
		for _, h := range r.Holders {
			if j.inTheWay(h) {
				busy = append(busy, &BusyError{Device: r.Device.Name, Holder: h})
			}
		}
	}
	return busy, nil
}

// drainAll drains one device after the other, and then does what they had to be
// drained for.
func (j *Job) drainAll(ctx context.Context, left []rdma.Device) error {
	if len(left) == 0 {
		return j.drained(ctx)
	}
	d := left[0]
	var result error
	err := j.Service.Drain(ctx, d, func(ctx context.Context, s Session) Verdict {
		j.sessions = append(j.sessions, s)
		for _, c := range s.Clients {
			j.did(Step{Device: d.Name, Action: TakeOff, Holder: &holders.Holder{
				Device: d.Name, Kind: holders.KindClient, Name: c, Effect: holders.Told, Reason: "its Remove has returned",
			}})
		}
		result = j.drainAll(ctx, left[1:])
		if _, stuck := errors.AsType[*StuckError](result); result != nil && !stuck {
			return Verdict{Failed: result}
		}
		return Verdict{Keep: j.Keep && result == nil}
	})
	switch {
	case result != nil:
		return result
	case err != nil && j.operated:
		// The kernel has done it; what is left is ibctl's own bookkeeping.
		j.Warnings = append(j.Warnings, rdma.Warning{Object: d.Name, Op: "end the drain", Err: err})
		return nil
	}
	return err
}

// drained is what is done while no client is on any of the devices.
func (j *Job) drained(ctx context.Context) error {
	if err := j.settle(ctx); err != nil {
		return err
	}
	if j.Operation == nil {
		for _, d := range j.Devices {
			j.did(Step{Device: d.Name, Action: Drained})
		}
		return nil
	}
	return j.operate(ctx)
}

// settle returns when two looks in a row have found nobody in the way.
func (j *Job) settle(ctx context.Context) error {
	start := time.Now()
	evictions := 0
	for quiet := 0; quiet < 2; {
		busy, err := j.look(ctx)
		switch {
		case err != nil:
			return err
		case len(busy) == 0:
			quiet++
			sleep(ctx, lookPause)
			continue
		case j.Eviction == NoEviction || evictions == maxEvictions:
			return j.blocked(busy, evictions)
		}
		quiet, evictions = 0, evictions+1
		if err := j.evict(ctx, busy); err != nil {
			return err
		}
	}
	j.did(Step{Device: j.subject(), Action: LookAgain, TookMS: ms(start)})
	return nil
}

// blocked says who is in the way, in spite of all.
func (j *Job) blocked(busy []*BusyError, evictions int) error {
	var list []holders.Holder
	for _, b := range busy {
		b.Why = "it came meanwhile"
		if evictions > 0 {
			b.Why = fmt.Sprintf("others were evicted %d times, and somebody starts it again: stop that first", evictions)
		}
		list = append(list, b.Holder)
	}
	j.note(EventBlocked, list, "")
	return asBusy(busy)
}

// evicted notes who was.
func (j *Job) evicted(victims []*victim) {
	for _, v := range victims {
		h := v.holder
		j.did(Step{Device: h.Device, Action: Evict, Holder: &h})
	}
}

func (j *Job) did(s Step) {
	s.Done = true
	j.Steps = append(j.Steps, s)
}

// note adds an event about the latest device to be drained.
func (j *Job) note(kind string, about []holders.Holder, text string) {
	e := journal.Event{Kind: kind, Text: text}
	for _, h := range about {
		e.Holders = append(e.Holders, Who(h))
	}
	j.tell(e)
}

func (j *Job) tell(e journal.Event) {
	if n := len(j.sessions); n > 0 && j.sessions[n-1].Note != nil {
		j.sessions[n-1].Note(e)
	}
}

// subject is the device that the job is about; the others are there because of it.
func (j *Job) subject() string { return j.Devices[len(j.Devices)-1].Name }

func (j *Job) grace() time.Duration { return cmp.Or(j.Grace, defaultGrace) }

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func ms(since time.Time) rdma.Opt[float64] {
	return rdma.Known(float64(time.Since(since)) / float64(time.Millisecond))
}
