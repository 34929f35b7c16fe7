//go:build amd64 || arm64

package plugin

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CanBeChildless tells whether this build knows how to give up having children.
const CanBeChildless = true

// forbidChildren installs a seccomp filter on all threads, for good, and the
// threads that they make inherit it. From here on the process is its whole tree:
// when it has been waited for, nothing of it is left.
func forbidChildren() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Without privileges a filter is only for those who will not gain any. TSYNC
	// passes this on to the other threads too.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	filter := childFilter()
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	failed, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	if failed != 0 {
		return fmt.Errorf("seccomp: thread %d could not be synchronised", failed)
	}
	return nil
}

// Offsets in struct seccomp_data (linux/seccomp.h). The flags of clone(2) are the
// low half of its first argument: all machines in seccomp_*.go are little-endian.
const (
	dataNumber = 0
	dataArch   = 4
	dataFlags  = 16
)

// childFilter is the program, which runs at each system call:
//
//   - a call of another machine's ABI does not exist, nor does clone3, whose
//     flags lie in memory where a filter cannot see them; C libraries then fall
//     back on clone;
//   - fork, vfork, execve and execveat are not permitted, nor clone unless it
//     makes a thread (the kernel insists that CLONE_THREAD comes with CLONE_VM and
//     CLONE_SIGHAND, so nothing but a thread can come of it);
//   - everything else is allowed. io_uring makes threads only.
func childFilter() []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	// skipUnless goes on if the loaded value is v, and else skips one.
	skipUnless := func(v uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: v}
	}
	answer := func(errno unix.Errno) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)}
	}
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}

	f := []unix.SockFilter{
		load(dataArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: auditArch},
		answer(unix.ENOSYS),
		load(dataNumber),
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: foreignNumbers},
		answer(unix.ENOSYS),
		skipUnless(unix.SYS_CLONE3),
		answer(unix.ENOSYS),
	}
	for _, number := range forbiddenNumbers {
		f = append(f, skipUnless(number), answer(unix.EPERM))
	}
	return append(f,
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: unix.SYS_CLONE},
		load(dataFlags),
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 1, K: unix.CLONE_THREAD},
		answer(unix.EPERM),
		allow,
	)
}
