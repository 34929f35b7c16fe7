package vm

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"github.com/ibctl/ibctl/internal/lab/wire"
)

const qemuProgram = "qemu-system-x86_64"

// The descriptors that QEMU inherits: os/exec numbers ExtraFiles from 3.
const (
	consoleFD = 3 + iota
	portFD
	qmpFD
)

// CheckQEMU returns an error where there is no QEMU, for those who would otherwise find out late.
func CheckQEMU() error {
	if _, err := exec.LookPath(qemuProgram); err != nil {
		return fmt.Errorf("lab: no QEMU: %w; make deps installs it", err)
	}
	return nil
}

// machine is a running QEMU.
type machine struct {
	console, port, qmp net.Conn
	exited             chan error // gets QEMU's end, once
	cmd                *exec.Cmd
	stderr             bytes.Buffer // QEMU's own messages; to be read after exited
}

// startMachine starts QEMU. The caller must call stop, and receive from exited.
func startMachine(cfg Config) (*machine, error) {
	if err := CheckQEMU(); err != nil {
		return nil, err
	}
	m := &machine{exited: make(chan error, 1)}
	var theirs []*os.File
	for _, conn := range []*net.Conn{&m.console, &m.port, &m.qmp} {
		mine, other, err := socketPair()
		if err != nil {
			return nil, errors.Join(err, m.closeConns())
		}
		*conn = mine
		defer other.Close()
		theirs = append(theirs, other)
	}
	m.cmd = exec.Command(qemuProgram, qemuArgs(cfg)...)
	m.cmd.ExtraFiles = theirs
	m.cmd.Stderr = &m.stderr
	if cfg.TTY {
		m.cmd.Stdin, m.cmd.Stdout = os.Stdin, os.Stdout
	}
	if err := m.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("lab: start %s: %w", qemuProgram, err), m.closeConns())
	}
	return m, nil
}

// start starts the process in a thread that lives as long as it does: the kernel sends the parent-death signal when the thread
// that forked ends, and the signal keeps a killed test from leaving a VM behind.
func (m *machine) start() error {
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := m.cmd.Start()
		started <- err
		if err == nil {
			m.exited <- m.cmd.Wait()
		}
	}()
	return <-started
}

func (m *machine) kill() {
	_ = m.cmd.Process.Kill() // it may be gone already
}

func (m *machine) closeConns() error {
	var errs []error
	for _, c := range []net.Conn{m.console, m.port, m.qmp} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// socketPair returns two ends of a stream: one for this process and one to be inherited.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("lab: socketpair: %w", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "lab"), os.NewFile(uintptr(fds[1]), "qemu")
	defer mine.Close() // FileConn duplicates it
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("lab: socketpair: %w", err), theirs.Close())
	}
	return conn, theirs, nil
}

func qemuArgs(cfg Config) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-cpu", "max", "-smp", strconv.Itoa(cfg.Processors), "-m", strconv.Itoa(cfg.MemoryMB),
		"-kernel", cfg.Kernel.Image, "-initrd", cfg.Initrd, "-append", kernelArgs,
		"-chardev", fmt.Sprintf("socket,id=console,fd=%d", consoleFD), "-serial", "chardev:console",
		"-chardev", fmt.Sprintf("socket,id=qmp,fd=%d", qmpFD), "-mon", "chardev=qmp,mode=control",
		"-device", "virtio-serial-pci",
		"-chardev", fmt.Sprintf("socket,id=port,fd=%d", portFD),
		"-device", "virtserialport,chardev=port,name=" + wire.PortName,
		"-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
		"-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
	}
	if cfg.TTY {
		args = append(args, "-chardev", "stdio,id=tty,signal=off", "-device", "virtconsole,chardev=tty")
	}
	if cfg.Accel == "tcg" {
		return append(args, "-accel", "tcg,thread=multi")
	}
	return append(args, "-accel", cfg.Accel)
}

// kernelArgs: an oops ends the machine; an unexpected NMI panics, which is how a guest that answers no more is
// made to tell where it is; the rest saves time under TCG.
const kernelArgs = "console=ttyS0 panic=-1 oops=panic unknown_nmi_panic sysrq_always_enabled nowatchdog " +
	"nokaslr mitigations=off random.trust_cpu=on net.ifnames=0 tsc=reliable"
