package vm

import (
	"fmt"
	"time"

	"github.com/ibctl/ibctl/internal/lab/wire"
)

// How long each step towards the end of a hanging guest may take. TCG on a busy machine is slow; nothing waits this long unless
// the guest is stuck.
const (
	dumpPatience = 15 * time.Second // for the command to end after SIGQUIT
	nmiPatience  = 10 * time.Second // for the kernel to panic after an NMI
)

// phase is how far the stopping of a guest has gone.
type phase int

const (
	running phase = iota
	dumping       // the guest was asked where it hangs
	shocked       // it got an NMI
	killed
)

// stopper watches the clock of a session and ends it in steps. It belongs to the session's goroutine.
type stopper struct {
	s      *session
	phase  phase
	alarm  *time.Timer
	reason error
	detail string
	asked  int       // length of the console when the guest was first asked where it hangs
	heard  time.Time // when the guest last said something
}

func newStopper(s *session) stopper {
	st := stopper{s: s, heard: time.Now()}
	st.alarm = time.NewTimer(time.Until(st.deadline()))
	return st
}

func (st *stopper) release() { st.alarm.Stop() }

func (st *stopper) timer() <-chan time.Time { return st.alarm.C }

// sawLife notes that the guest said something.
func (st *stopper) sawLife() {
	st.heard = time.Now()
	if st.phase == running {
		st.alarm.Reset(time.Until(st.deadline()))
	}
}

// deadline is the moment at which a guest that runs has to be stopped, unless it says something before.
func (st *stopper) deadline() time.Time {
	cfg := st.s.cfg
	d := st.s.began.Add(cfg.Timeout)
	if st.s.booted == 0 {
		return earlier(d, st.s.began.Add(cfg.BootIn))
	}
	if cfg.Silence > 0 && !cfg.TTY {
		return earlier(d, st.heard.Add(cfg.Silence))
	}
	return d
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// next takes the next step after the time for the present one has run out.
func (st *stopper) next() {
	switch st.phase {
	case running:
		if !st.expired() {
			st.alarm.Reset(time.Until(st.deadline()))
			return
		}
		st.asked = st.s.log.len()
		if st.s.booted == 0 {
			st.shock()
			return
		}
		st.enter(dumping, dumpPatience)
		st.note(st.s.host.Send(wire.ToGuest{Dump: true}))
	case dumping:
		st.shock()
	default:
		st.enter(killed, time.Hour)
		st.s.m.kill()
	}
}

func (st *stopper) shock() {
	st.enter(shocked, nmiPatience)
	st.note(injectNMI(st.s.m.qmp))
}

func (st *stopper) enter(p phase, patience time.Duration) {
	st.phase = p
	st.alarm.Reset(patience)
}

// note keeps an error of the stopping itself among the particulars.
func (st *stopper) note(err error) {
	if err != nil {
		st.detail += "; " + err.Error()
	}
}

// expired finds out why the time has run out, if it has.
func (st *stopper) expired() bool {
	now, cfg := time.Now(), st.s.cfg
	switch {
	case now.Before(st.deadline()):
		return false
	case st.s.booted == 0 && cfg.BootIn <= cfg.Timeout:
		st.because(ErrBoot, fmt.Sprintf("%v passed", cfg.BootIn))
	case !now.Before(st.s.began.Add(cfg.Timeout)):
		st.because(ErrTimeout, fmt.Sprintf("%v passed", cfg.Timeout))
	default:
		st.because(ErrSilence, fmt.Sprintf("%v passed", cfg.Silence))
	}
	return true
}

// because sets the reason for the end; the first one counts.
func (st *stopper) because(reason error, detail string) {
	if st.reason == nil {
		st.reason, st.detail = reason, detail
	}
}

// abort ends the session at once.
func (st *stopper) abort(reason error) {
	st.because(reason, "")
	st.enter(killed, time.Hour)
	st.s.m.kill()
}
