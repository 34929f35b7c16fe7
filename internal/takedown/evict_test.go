package takedown

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/procfs"
)

// start starts a shell script and returns it as a holder, once it is ready.
func start(t *testing.T, script string) (holders.Holder, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script+"\necho ready\nwhile :; do sleep 1; done")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() }) //nolint:errcheck // it may have ended
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	return holderOf(t, cmd.Process.Pid), cmd
}

func holderOf(t *testing.T, pid int) holders.Holder {
	t.Helper()
	started, err := procfs.Live().Started(pid)
	if err != nil {
		t.Fatal(err)
	}
	h := holders.Holder{Device: "rxe0", Kind: holders.KindProcess, Name: "sh", Effect: holders.Blocks, Waits: true, Reason: "the test"}
	h.PID, h.Started = rdma.Known(pid), started
	return h
}

func busyWith(list ...holders.Holder) (all []*BusyError) {
	for _, h := range list {
		all = append(all, &BusyError{Device: h.Device, Holder: h})
	}
	return all
}

// ended waits for a child and returns the signal that ended it.
func ended(t *testing.T, cmd *exec.Cmd) syscall.Signal {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("it ended with %v", err)
	}
	return exit.Sys().(syscall.WaitStatus).Signal()
}

func TestEvict(t *testing.T) {
	a, cmdA := start(t, "")
	b, cmdB := start(t, "")
	j := &Job{Eviction: Terminate}
	if err := j.evict(t.Context(), busyWith(a, b)); err != nil {
		t.Fatal(err)
	}
	if s := [2]syscall.Signal{ended(t, cmdA), ended(t, cmdB)}; s != [2]syscall.Signal{syscall.SIGTERM, syscall.SIGTERM} {
		t.Errorf("they ended by %v", s)
	}
	if len(j.Steps) != 2 || j.Steps[0].Action != Evict || !j.Steps[0].Done {
		t.Errorf("steps: %+v", j.Steps)
	}
}

func TestEvictStubborn(t *testing.T) {
	h, cmd := start(t, "trap '' TERM")
	var said []string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j := &Job{Eviction: Terminate, Grace: time.Minute, Progress: func(s string) {
		said = append(said, s)
		cancel()
	}}
	err := j.evict(ctx, busyWith(h))
	if !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "it was told to end (term) and has not") {
		t.Errorf("evict: %v", err)
	}
	if len(said) == 0 || !strings.Contains(said[0], Who(h)) {
		t.Errorf("progress: %q", said)
	}
	j = &Job{Eviction: Terminate, Grace: 10 * time.Millisecond}
	if err := j.evict(t.Context(), busyWith(h)); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("evict: %v", err)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("who was only told to end is gone: %v", err)
	}
	j = &Job{Eviction: Kill, Grace: 10 * time.Millisecond}
	if err := j.evict(t.Context(), busyWith(h)); err != nil {
		t.Fatal(err)
	}
	if s := ended(t, cmd); s != syscall.SIGKILL {
		t.Errorf("it ended by %v", s)
	}
}

// TestEvictStranger: a process that has the number of one that was seen, and is
// not the same, is left alone.
func TestEvictStranger(t *testing.T) {
	h, cmd := start(t, "")
	h.Started-- // as of an earlier one
	j := &Job{Eviction: Kill, Grace: time.Millisecond}
	if err := j.evict(t.Context(), busyWith(h)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger is gone: %v", err)
	}
	if len(j.Steps) != 0 {
		t.Errorf("steps: %+v", j.Steps)
	}
}

// TestEvictNobody: where one cannot be evicted, none is.
func TestEvictNobody(t *testing.T) {
	h, cmd := start(t, "")
	unseen := holders.Holder{Device: "rxe0", Kind: holders.KindProcess, Waits: true}
	kernel := holders.Holder{Device: "rxe0", Kind: holders.KindKernel, Name: "nvme_rdma", Waits: true}
	for _, other := range []holders.Holder{unseen, kernel, holderOf(t, os.Getpid()), holderOf(t, os.Getppid()), holderOf(t, 1)} {
		j := &Job{Eviction: Kill, Grace: time.Millisecond}
		if err := j.evict(t.Context(), busyWith(h, other)); !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "not evicted: ") {
			t.Errorf("%s: %v", Who(other), err)
		}
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("one was evicted all the same: %v", err)
	}
}
