package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mountpoint is one file system of the guest.
type mountpoint struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
	optional               bool // the kernel may not have it
}

func (m mountpoint) mount() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return fmt.Errorf("mount %s: %w", m.target, err)
	}
	if err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data); err != nil {
		return fmt.Errorf("mount %s (%s): %w", m.target, m.fstype, err)
	}
	return nil
}

// mountInitramfs mounts what loading modules and finding the port need.
func mountInitramfs() error {
	return mountAll([]mountpoint{
		{source: "dev", target: "/dev", fstype: "devtmpfs"},
		{source: "proc", target: "/proc", fstype: "proc"},
		{source: "sys", target: "/sys", fstype: "sysfs"},
	})
}

// enterOverlay makes the host's file tree, with a writable layer on top, the root of this process and of the kernel's helpers.
//
// PID 1 shares its root with the kernel's threads, so a chroot here is all that request_module needs to find modprobe.
func enterOverlay() error {
	const root = "/root"
	err := mountAll([]mountpoint{
		{source: "host", target: "/host", fstype: "9p", flags: unix.MS_RDONLY,
			data: "trans=virtio,version=9p2000.L,msize=512000,cache=loose"},
		{source: "rw", target: "/rw", fstype: "tmpfs", data: "size=75%"},
	})
	if err != nil {
		return err
	}
	if err := errors.Join(os.Mkdir("/rw/upper", 0o755), os.Mkdir("/rw/work", 0o755)); err != nil {
		return fmt.Errorf("writable layer: %w", err)
	}
	overlay := mountpoint{source: "lab", target: root, fstype: "overlay", data: "lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work"}
	if err := overlay.mount(); err != nil {
		return err
	}
	if err := moveMounts(root, "/dev", "/proc", "/sys"); err != nil {
		return err
	}
	if err := changeRoot(root); err != nil {
		return err
	}
	return mountGuest()
}

func moveMounts(root string, targets ...string) error {
	for _, t := range targets {
		if err := unix.Mount(t, root+t, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s into the new root: %w", t, err)
		}
	}
	return nil
}

// changeRoot is what switch_root(8) does, without the exec.
func changeRoot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter %s: %w", root, err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to /: %w", root, err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot to %s: %w", root, err)
	}
	return unix.Chdir("/")
}

// mountGuest mounts what belongs to this machine and not to the host whose files it sees.
func mountGuest() error {
	return mountAll([]mountpoint{
		{source: "run", target: "/run", fstype: "tmpfs", data: "mode=755"},
		{source: "devpts", target: "/dev/pts", fstype: "devpts", data: "mode=620,ptmxmode=666"},
		{source: "shm", target: "/dev/shm", fstype: "tmpfs"},
		{source: "cgroup", target: "/sys/fs/cgroup", fstype: "cgroup2"},
		{source: "debugfs", target: "/sys/kernel/debug", fstype: "debugfs", optional: true},
	})
}

func mountAll(mounts []mountpoint) error {
	for _, m := range mounts {
		if err := m.mount(); err != nil && !m.optional {
			return err
		}
	}
	return nil
}
