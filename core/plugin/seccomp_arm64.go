package plugin

import "golang.org/x/sys/unix"

const (
	auditArch      = unix.AUDIT_ARCH_AARCH64
	foreignNumbers = 1 << 31 // none
)

// forbiddenNumbers are the calls that replace this process's program; arm64 has
// none that can do nothing but make a process.
var forbiddenNumbers = []uint32{unix.SYS_EXECVE, unix.SYS_EXECVEAT}
