package plugin

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_X86_64
	// foreignNumbers and above belong to the x32 ABI (__X32_SYSCALL_BIT).
	foreignNumbers = 0x40000000
)

// forbiddenNumbers are the calls that can do nothing but make a process, or
// replace this one's program.
var forbiddenNumbers = []uint32{unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_EXECVE, unix.SYS_EXECVEAT}
