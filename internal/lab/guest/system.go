package main

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// prepareSystem does the rest of what an init does: a name, and a loopback interface that is up. There is no duplicate address
// detection in the lab: an address is to be usable as soon as it is there. Nor does the first tunnel bring others, which would stay.
func prepareSystem() error {
	if err := os.WriteFile("/proc/sys/net/core/fb_tunnels_only_for_init_net", []byte("2"), 0o644); err != nil {
		return err
	}
	for _, conf := range []string{"all", "default"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+conf+"/accept_dad", []byte("0"), 0o644); err != nil {
			return err
		}
	}
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return fmt.Errorf("hostname: %w", err)
	}
	if err := setUp("lo"); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

func setUp(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr); err != nil {
		return err
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// mountConfigfs mounts it where it lives (rdma_cm's defaults are there), if its module was asked for.
func mountConfigfs(modules []string) error {
	if !slices.Contains(modules, "configfs") {
		return nil
	}
	return mountpoint{source: "configfs", target: "/sys/kernel/config", fstype: "configfs"}.mount()
}
