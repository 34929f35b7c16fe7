// Package source finds the variables that package libenv explains: those of this
// process, or of another one, and what NCCL reads from its files. It reads /proc and
// those files, and changes nothing.
package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/libenv"
)

// ErrNoProcess is a process that is not there, or no more.
var ErrNoProcess = errors.New("no such process")

// Own returns the variables of this process.
func Own() ([]libenv.Variable, []rdma.Warning) {
	return withFiles(parse(os.Environ()), "")
}

// Of returns the variables that a process was started with; what it has changed since
// is not seen. procfs is /proc. It takes the right to trace the process
// ([fs.ErrPermission]); a process that is not there is [ErrNoProcess].
func Of(procfs string, pid int) ([]libenv.Variable, []rdma.Warning, error) {
	dir := filepath.Join(procfs, fmt.Sprint(pid))
	text, err := os.ReadFile(filepath.Join(dir, "environ"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("process %d: %w", pid, ErrNoProcess)
	case err != nil:
		return nil, nil, fmt.Errorf("process %d: read environment: %w", pid, cause(err))
	}
	vars, warnings := withFiles(parse(strings.Split(string(text), "\x00")), filepath.Join(dir, "root"))
	return vars, warnings, nil
}

// Netns is the network namespace of a process.
type Netns struct {
	// Path is a file of it, as long as the process is there. Label is what the kernel
	// calls it: "net:[4026531840]".
	Path, Label string
	// Own tells that it is this process's, too.
	Own bool
}

// NetnsOf returns the network namespace of a process: devices, GIDs and interfaces are
// what is seen from there.
func NetnsOf(procfs string, pid int) (Netns, error) {
	n := Netns{Path: filepath.Join(procfs, fmt.Sprint(pid), "ns/net")}
	own, err := os.Readlink(filepath.Join(procfs, "self/ns/net"))
	if err == nil {
		n.Label, err = os.Readlink(n.Path)
	}
	if err != nil {
		return n, fmt.Errorf("read network namespace: %w", cause(err))
	}
	n.Own = n.Label == own
	return n, nil
}

// cause is an error without the file that it is about.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// parse keeps the variables that are explained, and those that say where files are.
func parse(environ []string) (vars []libenv.Variable) {
	for _, line := range environ {
		name, value, found := strings.Cut(line, "=")
		if found && (libenv.Concerned(name) || name == "HOME") {
			vars = append(vars, libenv.Variable{Name: name, Value: value, Source: libenv.Environment})
		}
	}
	return vars
}

// withFiles adds what NCCL would read from its files (src/misc/param.cc): the user's
// and then the system's, where what is set already wins.
func withFiles(vars []libenv.Variable, root string) ([]libenv.Variable, []rdma.Warning) {
	user := valueOf(vars, "NCCL_CONF_FILE")
	if home := valueOf(vars, "HOME"); user == "" && home != "" {
		user = filepath.Join(home, ".nccl.conf")
	}
	vars = slices.DeleteFunc(vars, func(v libenv.Variable) bool { return v.Name == "HOME" })
	var warnings []rdma.Warning
	for _, name := range []string{user, "/etc/nccl.conf"} {
		if name == "" {
			continue
		}
		more, err := readFile(filepath.Join(root, name), name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			warnings = append(warnings, rdma.Warning{Object: name, Op: "read NCCL's settings", Err: cause(err)})
		}
		for _, v := range more {
			if !slices.ContainsFunc(vars, func(set libenv.Variable) bool { return set.Name == v.Name }) {
				vars = append(vars, v)
			}
		}
	}
	return vars, warnings
}

func valueOf(vars []libenv.Variable, name string) string {
	for _, v := range vars {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// maxFile is how much of a file is read: what lies there may be of any size and kind.
const maxFile = 1 << 20

// readFile reads lines such as NCCL_DEBUG=WARN. A line that begins with # is none.
func readFile(path, name string) (vars []libenv.Variable, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, errors.New("not a file of settings")
	}
	text, err := os.ReadFile(path)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		key, value, found := strings.Cut(strings.TrimRight(lines.Text(), "\r"), "=")
		if found && !strings.HasPrefix(key, "#") && libenv.Concerned(key) {
			vars = append(vars, libenv.Variable{Name: key, Value: value, Source: name})
		}
	}
	return vars, err
}
