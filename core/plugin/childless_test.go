//go:build amd64 || arm64

package plugin

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	allowed = unix.SECCOMP_RET_ALLOW
	refused = unix.SECCOMP_RET_ERRNO | int(unix.EPERM)
	unknown = unix.SECCOMP_RET_ERRNO | int(unix.ENOSYS)
)

// TestChildFilter runs the program on what the kernel would show it.
func TestChildFilter(t *testing.T) {
	const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD
	tests := []struct {
		what         string
		arch, number uint32
		flags        uint64
		want         int
	}{
		{"read", auditArch, unix.SYS_READ, 0, allowed},
		{"seccomp", auditArch, unix.SYS_SECCOMP, 0, allowed},
		{"a thread", auditArch, unix.SYS_CLONE, threadFlags, allowed},
		{"a thread, with more flags", auditArch, unix.SYS_CLONE, threadFlags | unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | 1<<40, allowed},
		{"a process", auditArch, unix.SYS_CLONE, uint64(unix.SIGCHLD), refused},
		{"a process in our memory", auditArch, unix.SYS_CLONE, unix.CLONE_VM | unix.CLONE_VFORK, refused},
		{"a sibling", auditArch, unix.SYS_CLONE, unix.CLONE_PARENT, refused},
		{"the flag in the other half", auditArch, unix.SYS_CLONE, unix.CLONE_THREAD << 32, refused},
		{"clone3", auditArch, unix.SYS_CLONE3, threadFlags, unknown},
		{"execve", auditArch, unix.SYS_EXECVE, 0, refused},
		{"execveat", auditArch, unix.SYS_EXECVEAT, 0, refused},
		{"another machine's read", unix.AUDIT_ARCH_I386, 3, 0, unknown},
		{"another machine's clone", unix.AUDIT_ARCH_ARM, 120, threadFlags, unknown},
		{"a foreign number", auditArch, foreignNumbers | 57, 0, unknown},
		{"the last number", auditArch, 1<<32 - 1, 0, unknown},
	}
	for _, number := range forbiddenNumbers {
		tests = append(tests, struct {
			what         string
			arch, number uint32
			flags        uint64
			want         int
		}{"a forbidden number", auditArch, number, 0, refused})
	}
	vm := filterVM(t)
	for _, tt := range tests {
		got, err := vm.Run(seccompData(tt.arch, tt.number, tt.flags))
		if err != nil || got != tt.want {
			t.Errorf("%s: %#x, %v; want %#x", tt.what, got, err, tt.want)
		}
	}
}

func filterVM(t *testing.T) *bpf.VM {
	t.Helper()
	var raw []bpf.RawInstruction
	for _, i := range childFilter() {
		raw = append(raw, bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	program, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("not a program")
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// seccompData is struct seccomp_data, with each word in the byte order of the VM,
// which is made for packets.
func seccompData(arch, number uint32, arg0 uint64) []byte {
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[dataNumber:], number)
	binary.BigEndian.PutUint32(data[dataArch:], arch)
	binary.BigEndian.PutUint32(data[dataFlags:], uint32(arg0))
	binary.BigEndian.PutUint32(data[dataFlags+4:], uint32(arg0>>32))
	return data
}

const envInside = "IBCTL_TEST_CHILDLESS"

// TestForbidChildren lets a process of our own try it out, for there is no way
// back.
func TestForbidChildren(t *testing.T) {
	if os.Getenv(envInside) != "" {
		tryToHaveChildren(t)
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestForbidChildren$", "-test.v")
	cmd.Env = append(os.Environ(), envInside+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "tried from all threads") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func tryToHaveChildren(t *testing.T) {
	// Threads that were there before the filter.
	var ready, tried sync.WaitGroup
	proceed := make(chan struct{})
	for range 4 {
		ready.Add(1)
		tried.Go(func() {
			runtime.LockOSThread()
			ready.Done()
			<-proceed
			tryFromThread(t)
		})
	}
	ready.Wait()
	if err := forbidChildren(); err != nil {
		t.Fatal(err)
	}
	close(proceed)
	tried.Wait()
	// And one that comes after it.
	tried.Go(func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		tryFromThread(t)
	})
	tried.Wait()
	if err := exec.Command("/bin/true").Run(); !errors.Is(err, unix.EPERM) {
		t.Errorf("os/exec: %v", err)
	}
	t.Log("tried from all threads")
}

func tryFromThread(t *testing.T) {
	path, err := unix.BytePtrFromString("/bin/false")
	if err != nil {
		t.Error(err)
		return
	}
	name := uintptr(unsafe.Pointer(path))
	args := [8]uint64{4: uint64(unix.SIGCHLD)} // struct clone_args, as of Linux 5.3
	try := func(what string, want unix.Errno, number, a, b uintptr) {
		if got := attempt(number, a, b); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	try("clone", unix.EPERM, unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0)
	try("clone as vfork", unix.EPERM, unix.SYS_CLONE, unix.CLONE_VFORK|uintptr(unix.SIGCHLD), 0)
	try("clone3", unix.ENOSYS, unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args))
	try("execve", unix.EPERM, unix.SYS_EXECVE, name, 0)
	for _, number := range forbiddenNumbers {
		try("a forbidden number", unix.EPERM, uintptr(number), name, 0)
	}
	runtime.KeepAlive(path)
}

// attempt makes a system call that ought to fail. Should it make a process after
// all, that one ends at once.
//
//go:norace
func attempt(number, a, b uintptr) unix.Errno {
	r, _, errno := unix.RawSyscall(number, a, b, 0)
	if errno == 0 && r == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
	}
	return errno
}
