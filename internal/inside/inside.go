// Package inside runs a program where another process is: in its network namespace
// (network_namespaces(7)), with a /sys that shows what belongs to that. Which RDMA
// devices a process finds depends on both.
//
// It takes CAP_SYS_ADMIN. Nothing of the process itself is touched, nor of its mounts.
package inside

import (
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Run starts cmd in the network namespace that a file of nsfs stands for, such as
// /proc/4711/ns/net, and waits for it. It may be called by any number of goroutines at
// once. An error of the way there is an *[EntryError]; others are those of [exec.Cmd.Run].
func Run(netns string, cmd *exec.Cmd) error {
	done := make(chan error, 1)
	go func() {
		// The thread is not given back: it ends with this goroutine, and so does its
		// being elsewhere.
		runtime.LockOSThread()
		if err := enter(netns); err != nil {
			done <- err
			return
		}
		done <- cmd.Run() // a child begins where the thread is that starts it
	}()
	return <-done
}

// EntryError says what the kernel refused.
type EntryError struct {
	Op  string
	Err error
}

// Error implements error.
func (e *EntryError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the errno.
func (e *EntryError) Unwrap() error { return e.Err }

// enter moves the calling thread. What is mounted then stays with it: its copy of the
// mounts takes over what happens to the others, and gives nothing back.
func enter(netns string) error {
	fd, err := unix.Open(netns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &EntryError{"open " + netns, err}
	}
	defer unix.Close(fd)
	for _, step := range []struct {
		op string
		do func() error
	}{
		{"enter the network namespace", func() error { return unix.Setns(fd, unix.CLONE_NEWNET) }},
		{"have mounts of one's own", func() error { return unix.Unshare(unix.CLONE_NEWNS) }},
		{"have mounts of one's own", func() error { return unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, "") }},
		{"mount sysfs", mountSysfs},
	} {
		if err := step.do(); err != nil {
			return &EntryError{step.op, err}
		}
	}
	return nil
}

// mountSysfs shows the devices of the calling thread's network namespace in /sys: a
// mounted sysfs shows those of the one that it was mounted in.
func mountSysfs() error {
	const flags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	return unix.Mount("sysfs", "/sys", "sysfs", flags, "")
}
