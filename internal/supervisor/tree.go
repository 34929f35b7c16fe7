package supervisor

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// tree is one way of holding on to a process and all that descend from it.
type tree interface {
	guarantee() Guarantee
	// prepare sets what is needed at fork. It is called once, before anything else.
	prepare(attr *syscall.SysProcAttr) error
	// kill sends SIGKILL to the whole tree and returns at once. It may be called
	// at any time and more than once; once the process is reaped it does nothing.
	kill(p *os.Process)
	// bury waits for the process, ends what is left of the tree, and returns when
	// nothing is left.
	bury(p *os.Process) (*os.ProcessState, error)
	// release gives back what prepare took. It is called last, also if the
	// process could not be started.
	release()
}

// base is what all trees have in common.
func base(attr *syscall.SysProcAttr) {
	attr.Pdeathsig = syscall.SIGKILL
	// A group of its own, so that the terminal's ^C does not reach the plugin:
	// its devices are to be removed first.
	attr.Setpgid = true
}

// pidns makes the plugin the first process of a PID namespace.
type pidns struct{}

func (pidns) guarantee() Guarantee { return GuaranteePIDNamespace }

func (pidns) prepare(attr *syscall.SysProcAttr) error {
	base(attr)
	attr.Cloneflags |= unix.CLONE_NEWPID
	return nil
}

// kill needs no more than the one process: the kernel kills the others with it.
func (pidns) kill(p *os.Process) { _ = p.Kill() }

func (pidns) bury(p *os.Process) (*os.ProcessState, error) { return p.Wait() }

func (pidns) release() {}

// waitZombie returns when p has ended, and leaves it unreaped: until it is, its
// pid and process group cannot be used again.
func waitZombie(p *os.Process) error {
	for {
		err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("waitid", err)
		}
	}
}
