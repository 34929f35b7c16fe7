package vm

import (
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/ibctl/ibctl/internal/lab/depot"
)

// Config says what to run on which kernel. The zero value of a field that is not required stands for the default named with it.
type Config struct {
	Kernel  depot.Kernel // required
	Initrd  string       // required: file name of an initramfs that Initramfs made for Kernel
	Command []string     // required: program and arguments; the program is looked up in Env's PATH, in the guest
	Env     []string     // the whole environment
	Dir     string       // working directory; "/"
	Modules []string     // kernel modules to load before the command starts; none

	Timeout time.Duration // from start to power-off; 10 minutes
	Silence time.Duration // longest pause in the command's output; no limit
	BootIn  time.Duration // from start until the guest's first process answers; 5 minutes

	Stdout io.Writer // gets the command's standard output as it comes; discarded
	Stderr io.Writer // likewise
	TTY    bool      // run the command on this process's terminal; Stdout, Stderr and Silence have no meaning then

	MemoryMB   int    // 2048
	Processors int    // 2
	Accel      string // QEMU's accelerator; "tcg"
}

func (c Config) withDefaults() Config {
	setDefault(&c.Dir, "/")
	setDefault(&c.Timeout, 10*time.Minute)
	setDefault(&c.BootIn, 5*time.Minute)
	setDefault(&c.MemoryMB, 2048)
	setDefault(&c.Processors, 2)
	setDefault(&c.Accel, "tcg")
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Stderr == nil {
		c.Stderr = io.Discard
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Result is how a run went.
type Result struct {
	Status  int           // the command's exit status; 128 + signal if a signal ended it
	Signal  string        // that signal's name
	Release string        // uname -r of the guest
	Console []byte        // the kernel's log and what else was written to the serial console
	Booted  time.Duration // from start until the guest could run something
	Total   time.Duration // from start until QEMU was gone
}

// complaint is a line with which the kernel begins a report about its own misbehaviour.
var complaint = regexp.MustCompile(`(?m)^.*\b(?:WARNING|BUG|KASAN|UBSAN|Oops)\b: .*$|^.*\bINFO: (?:task|rcu).*$`)

// Complaints returns the lines of the console in which the kernel reports a warning or a bug of its own.
func (r Result) Complaints() []string { return Complaints(r.Console) }

// Complaints is Result.Complaints of a console that an error has.
func Complaints(console []byte) []string {
	var out []string
	for _, line := range complaint.FindAll(console, -1) {
		out = append(out, strings.TrimSpace(string(line)))
	}
	return out
}
