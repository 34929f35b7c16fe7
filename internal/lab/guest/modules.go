package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// loadInitramfsModules loads the files of /modules, whose names (00-…, 01-…) put each behind those it depends on.
func loadInitramfsModules() error {
	files, err := filepath.Glob("/modules/*")
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, file := range files {
		if err := loadModule(file); err != nil {
			return fmt.Errorf("load module %s: %w", filepath.Base(file), err)
		}
	}
	return nil
}

func loadModule(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

// modprobe loads modules, with what they depend on, from the unpacked kernel package on the host.
func (r *reaper) modprobe(moduleDir string, names []string) error {
	release, err := kernelRelease()
	if err != nil {
		return err
	}
	if err := replaceWithLink(filepath.Join("/lib/modules", release), moduleDir); err != nil {
		return fmt.Errorf("modules of the guest: %w", err)
	}
	if len(names) == 0 {
		return nil
	}
	exit, err := r.runOnConsole(append([]string{"/sbin/modprobe", "-a"}, names...))
	if err != nil {
		return err
	}
	if exit.Status != 0 {
		return fmt.Errorf("modprobe %s: exit status %d; the console has its messages", strings.Join(names, " "), exit.Status)
	}
	return nil
}

// replaceWithLink makes link point to target, even where the host happens to run the guest's very kernel.
func replaceWithLink(link, target string) error {
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(link); err != nil {
		return err
	}
	return os.Symlink(target, link)
}

func kernelRelease() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(u.Release[:]), nil
}

// openPort opens the virtio-serial port of that name. The driver learns the names from the device a moment after it is loaded.
func openPort(name string) (*os.File, error) {
	for range 200 {
		for _, file := range glob("/sys/class/virtio-ports/*/name") {
			text, err := os.ReadFile(file)
			if err == nil && strings.TrimSpace(string(text)) == name {
				return os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(file))), os.O_RDWR, 0)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, fmt.Errorf("no virtio-serial port is named %s: nobody can tell this guest what to run", name)
}

func glob(pattern string) []string {
	files, err := filepath.Glob(pattern)
	if err != nil {
		log.Panic(err) // only a bad pattern
	}
	return files
}
