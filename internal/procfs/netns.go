package procfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// NetnsUse is one way in which a process keeps a network namespace alive.
type NetnsUse struct {
	Inode uint64 // of the namespace, in nsfs
	// Open tells that the process, or one of its threads, is not in it but has a
	// descriptor of it.
	Open bool
}

// Netns lists the network namespaces that a process keeps alive, each once: those
// of its threads first. Sockets in a namespace keep it alive, too; they are not
// seen.
func (f FS) Netns(pid int) ([]NetnsUse, error) {
	tids, err := f.numbers(fmt.Sprintf("%d/task", pid))
	if err != nil {
		return nil, fmt.Errorf("list threads of process %d: %w", pid, err)
	}
	var uses []NetnsUse
	seen := map[uint64]bool{}
	add := func(inode uint64, open bool) {
		if !seen[inode] {
			seen[inode] = true
			uses = append(uses, NetnsUse{inode, open})
		}
	}
	for _, tid := range tids {
		inode, err := namespaceLink(f.path(pid, fmt.Sprintf("task/%d/ns/net", tid)))
		if err != nil && len(uses) == 0 && tid == tids[len(tids)-1] {
			return nil, fmt.Errorf("read network namespace of process %d: %w", pid, meaning(err))
		}
		if err == nil {
			add(inode, false)
		}
	}
	fds, err := f.numbers(fmt.Sprintf("%d/fd", pid))
	if err != nil {
		return uses, nil //nolint:nilerr // where it is is known
	}
	for _, fd := range fds {
		if inode, err := namespaceLink(f.path(pid, filepath.Join("fd", strconv.Itoa(fd)))); err == nil {
			add(inode, true)
		}
	}
	return uses, nil
}

// namespaceLink reads "net:[4026531840]".
func namespaceLink(path string) (uint64, error) {
	text, err := os.Readlink(path)
	if err != nil {
		return 0, err
	}
	digits, ok := strings.CutPrefix(text, "net:[")
	if !ok {
		return 0, unix.EINVAL
	}
	return strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64)
}

// InitialNetns returns the inode of the host's first network namespace, which the
// kernel's own threads are in: that of kthreadd, or where that is not visible of
// the first process.
func (f FS) InitialNetns() (uint64, error) {
	const initPID, kthreadd = 1, 2
	pid := initPID
	if text, err := f.read(kthreadd, "comm"); err == nil && strings.TrimSpace(string(text)) == "kthreadd" {
		pid = kthreadd
	}
	inode, err := namespaceLink(f.path(pid, "ns/net"))
	if err != nil {
		return 0, fmt.Errorf("read network namespace of process %d: %w", pid, meaning(err))
	}
	return inode, nil
}
