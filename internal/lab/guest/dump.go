package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab/wire"
)

// dumpState says what everything waits for: on stderr each process and where in the kernel it is, on the console the kernel's own
// view (SysRq w: blocked tasks, l: what the CPUs run), and then it asks the command itself. A Go program answers SIGQUIT with the
// stacks of its goroutines and ends.
func (s *server) dumpState(pid int) {
	text := fmt.Sprintf("lab: the guest's processes (pid, state, name, waiting in):\n%s", processTable())
	if err := s.host.Send(wire.FromGuest{Stderr: []byte(text)}); err != nil {
		log.Print(err)
	}
	for _, key := range "wl" {
		if err := os.WriteFile("/proc/sysrq-trigger", []byte(string(key)), 0); err != nil {
			log.Printf("SysRq %c: %v", key, err)
		}
	}
	if err := quit(pid); err != nil {
		log.Printf("SIGQUIT to the command: %v", err)
	}
}

// quit sends SIGQUIT to a thread of the process that can take it. Sent to the process, the kernel would pick the main thread, and
// that may be the very one that waits where no signal reaches it.
func quit(pid int) error {
	for _, task := range glob(fmt.Sprintf("/proc/%d/task/*", pid)) {
		tid, err := strconv.Atoi(filepath.Base(task))
		if err != nil {
			continue
		}
		if state, _, err := readStat(task); err == nil && state != 'D' {
			return unix.Tgkill(pid, tid, unix.SIGQUIT)
		}
	}
	return unix.Kill(pid, unix.SIGQUIT)
}

func processTable() string {
	var b strings.Builder
	for _, dir := range glob("/proc/[0-9]*") {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if args, _ := os.ReadFile(dir + "/cmdline"); len(args) == 0 {
			continue // the kernel's own threads; SysRq shows those that matter
		}
		for _, task := range glob(dir + "/task/*") {
			writeTask(&b, pid, task)
		}
	}
	return b.String()
}

// writeTask writes one line about a thread. One that ended meanwhile has none.
func writeTask(b *strings.Builder, pid int, dir string) {
	state, name, err := readStat(dir)
	if err != nil {
		return
	}
	wchan, _ := os.ReadFile(dir + "/wchan") // a thread that runs waits nowhere
	fmt.Fprintf(b, "  %d/%s %c %s %s\n", pid, filepath.Base(dir), state, name, wchan)
}

// readStat reads state and name from a stat file, where the name, in parentheses, may itself have parentheses and spaces.
func readStat(dir string) (state byte, name string, err error) {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0, "", err
	}
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open || len(stat) < end+3 {
		return 0, "", fmt.Errorf("%s/stat: %q", dir, stat)
	}
	return stat[end+2], string(stat[open+1 : end]), nil
}
