package takedown

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/procfs"
)

// Eviction says how holders' processes are ended.
type Eviction string

const (
	// NoEviction: a holder that is in the way is the end of it.
	NoEviction Eviction = ""
	// Terminate: by SIGTERM, and patience.
	Terminate Eviction = "term"
	// Kill: by SIGTERM, and SIGKILL if that does not help.
	Kill Eviction = "kill"
)

// victim is a process that is to end. The descriptor stands for that very
// process: its number may be another's any time after its end.
type victim struct {
	holder holders.Holder
	pidfd  int
}

func (v victim) close() { _ = unix.Close(v.pidfd) }

var errNotProcess = errors.New("only processes that can be seen can be evicted")

// seize gets hold of the process that a look has seen. A nil victim means that it
// has ended since.
func seize(h holders.Holder) (*victim, error) {
	pid, ok := pidOf(h).Get()
	if !ok {
		return nil, errNotProcess
	}
	if err := spare(pid); err != nil {
		return nil, err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	v := &victim{h, fd}
	// What has the number now is what the descriptor stands for: if it is as old
	// as what was seen, it is the same.
	started, err := procfs.Live().Started(pid)
	if errors.Is(err, procfs.ErrGone) || err == nil && started != h.Started {
		v.close()
		return nil, nil
	}
	if err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

// spare refuses to end this process, what it depends on, and init.
func spare(pid int) error {
	for p := os.Getpid(); p > 0; {
		if p == pid {
			return errors.New("this ibctl depends on it")
		}
		parent, err := procfs.Live().Process(p)
		if err != nil {
			break
		}
		p = parent.Parent
	}
	if pid == 1 {
		return errors.New("it is the first process")
	}
	return nil
}

func (v victim) signal(s syscall.Signal) error {
	err := unix.PidfdSendSignal(v.pidfd, s, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil // it has ended
	}
	return err
}

// ended tells whether the process has ended, waiting for it that long. What it
// had open is closed then.
func (v victim) ended(patience time.Duration) bool {
	p := []unix.PollFd{{Fd: int32(v.pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, int(patience/time.Millisecond))
	return err == nil && n > 0
}

// evict ends the processes of holders. If one of them cannot be ended for a
// reason that is known beforehand, none is touched.
func (j *Job) evict(ctx context.Context, all []*BusyError) error {
	victims, err := seizeAll(all)
	defer func() {
		for _, v := range victims {
			v.close()
		}
	}()
	if err != nil {
		return err
	}
	for _, v := range victims {
		j.note(EventEvicting, []holders.Holder{v.holder}, "SIGTERM")
		if err := v.signal(unix.SIGTERM); err != nil {
			return j.unmoved(v, fmt.Sprintf("SIGTERM: %v", err))
		}
	}
	left := j.awaitEnd(ctx, victims, j.grace())
	if len(left) > 0 && j.Eviction == Kill && ctx.Err() == nil {
		for _, v := range left {
			j.note(EventEvicting, []holders.Holder{v.holder}, "SIGKILL")
			if err := v.signal(unix.SIGKILL); err != nil {
				return j.unmoved(v, fmt.Sprintf("SIGKILL: %v", err))
			}
		}
		left = j.awaitEnd(ctx, left, killPatience)
	}
	var stubborn Busy
	for _, v := range left {
		stubborn = append(stubborn, j.unmoved(v, "it was told to end ("+string(j.Eviction)+") and has not"))
	}
	switch {
	case ctx.Err() != nil && len(stubborn) == 0:
		return context.Cause(ctx)
	case len(stubborn) > 0:
		return stubborn
	}
	j.evicted(victims)
	return nil
}

func seizeAll(all []*BusyError) (victims []*victim, err error) {
	var refused Busy
	for _, b := range all {
		switch v, err := seize(b.Holder); {
		case err != nil:
			b.Why = "not evicted: " + err.Error()
			refused = append(refused, b)
		case v != nil:
			victims = append(victims, v)
		}
	}
	if len(refused) > 0 {
		return victims, refused
	}
	return victims, nil
}

func (j *Job) unmoved(v *victim, why string) error {
	return &BusyError{Device: v.holder.Device, Holder: v.holder, Why: why}
}

// awaitEnd waits for processes, and tells who is waited for meanwhile. It returns
// those that are left.
func (j *Job) awaitEnd(ctx context.Context, victims []*victim, patience time.Duration) []*victim {
	start := time.Now()
	news := NewNews(j.Progress)
	for left := victims; ; {
		var still []*victim
		for _, v := range left {
			if !v.ended(0) {
				still = append(still, v)
			}
		}
		left = still
		if len(left) == 0 || ctx.Err() != nil || time.Since(start) > patience {
			return left
		}
		news.Tell(func() string { return "waiting for " + names(left) + " to end" })
		left[0].ended(pollPause)
	}
}

func names(victims []*victim) string {
	var list []holders.Holder
	for _, v := range victims {
		list = append(list, v.holder)
	}
	return whoAll(list)
}
