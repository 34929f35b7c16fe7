// Command guest is the first process (PID 1) of a lab VM.
//
// The kernel starts it from the initramfs. It loads the modules that lie there, lays a tmpfs over the host's read-only file tree,
// moves into it, and then runs the one command that the host sends over the virtio-serial port (package wire). When that has
// ended it powers the machine off. It never starts a shell and needs no other program to get that far, because under TCG every
// exec costs some 50 ms.
//
// Messages about its own progress go to the console, next to the kernel's.
package main

import (
	"fmt"
	"log"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab/wire"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is the first process of a lab VM and does nothing elsewhere")
		os.Exit(1)
	}
	log.SetFlags(0)
	log.SetPrefix("lab: ")
	if err := serve(); err != nil {
		log.Print(err)
	}
	powerOff()
}

// serve brings the machine up, runs the command and reports its end. Only an error that can't be sent to the host is returned.
func serve() error {
	port, err := earlyBoot()
	if err != nil {
		return err
	}
	s := newServer(port)
	exit, err := s.run()
	if err != nil {
		return s.finish(wire.FromGuest{Failed: err.Error()})
	}
	return s.finish(wire.FromGuest{Exit: exit})
}

// earlyBoot does what must be done before there is a way to talk to the host.
func earlyBoot() (*os.File, error) {
	if err := mountInitramfs(); err != nil {
		return nil, err
	}
	if err := loadInitramfsModules(); err != nil {
		return nil, err
	}
	return openPort(wire.PortName)
}

// powerOff ends the machine. The console gets a moment: what the guest logged last may be the only trace of an error.
func powerOff() {
	unix.Sync()
	time.Sleep(20 * time.Millisecond)
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) // QEMU runs with -no-reboot, and this needs no ACPI
	log.Printf("power off: %v", err)
	select {}
}
