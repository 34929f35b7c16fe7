// Package vm boots a kernel in QEMU, runs one command on it and brings back its output and exit status.
//
// The guest sees the host's files: / over 9p, read-only, under a tmpfs overlay. What the command needs must therefore be on the
// host, in the same place, and nothing that it writes outlives the VM.
//
// Three channels leave the machine, each a socket pair that QEMU inherits: the serial console with the kernel's log, a
// virtio-serial port for the command (package wire), and QMP. No file, port number or address is shared with another VM.
//
// Run never waits for ever. A guest is stopped when it isn't up in time, when the whole takes longer than Config.Timeout, and when
// the command prints nothing for Config.Silence. It is then asked in three steps to say where it hangs: the guest's first process
// lists the processes, has the kernel log blocked tasks, and sends SIGQUIT to the command; if nothing comes of that, an NMI makes
// the kernel panic with a stack trace; then QEMU is killed. What was learned is in the Stopped error and in the console's log.
package vm
