package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// background is a program that runs on until the test ends it, or its end.
type background struct {
	cmd   *exec.Cmd
	done  chan struct{}
	lines chan string
}

func startProgram(t *testing.T, name string, args ...string) *background {
	t.Helper()
	b := &background{cmd: exec.Command(name, args...), done: make(chan struct{}), lines: make(chan string, 10000)}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.cmd.Stderr = b.cmd.Stdout
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(b.done)
		for sc, n := bufio.NewScanner(out), 0; sc.Scan(); n++ {
			if n < checkedLines {
				checkLine(t, b.cmd.Args, sc.Text())
			}
			select {
			case b.lines <- sc.Text():
			default: // nobody is that curious
			}
		}
		_ = b.cmd.Wait() // how it ended is the test's to judge, by ProcessState
	}()
	t.Cleanup(func() { b.stop(syscall.SIGKILL) })
	return b
}

// checkedLines are how many lines of a program that goes on are held against their
// schema: the rest are of the same making, and there may be thousands.
const checkedLines = 20

// checkLine is checkAnswer for a line of a program that has not ended.
func checkLine(t *testing.T, args []string, line string) {
	t.Helper()
	if i := slices.Index(args, "ibctl"); i >= 0 && strings.HasPrefix(line, "{") {
		checkAnswer(t, args[i+1:], cliResult{stdout: line})
	}
}

func (b *background) stop(s os.Signal) {
	_ = b.cmd.Process.Signal(s) // it may have ended by itself
	<-b.done
}

func (b *background) alive() bool {
	select {
	case <-b.done:
		return false
	default:
		return true
	}
}

// waitFor waits until condition holds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// listenEvent is a line of ibctl cm listen -o jsonl.
type listenEvent struct{ Event, Device, Address, From, Why string }

// next waits for a line of ibctl cm listen.
func (b *background) next(t *testing.T) listenEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case line := <-b.lines:
		var e listenEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		return e
	case <-b.done:
		t.Fatalf("ended: %v", b.cmd.ProcessState)
	case <-ctx.Done():
		t.Fatalf("no line in %v", patience)
	}
	return listenEvent{}
}

// ibctlListen starts ibctl cm listen and waits until it listens on both hosts.
func ibctlListen(t *testing.T, args ...string) *background {
	t.Helper()
	b := startProgram(t, "ibctl", append([]string{"cm", "listen", "-o", "jsonl"}, args...)...)
	for missing := map[string]bool{hostA: true, hostB: true}; len(missing) > 0; {
		host, _, _ := strings.Cut(b.next(t).Address, ":")
		delete(missing, host)
	}
	return b
}
