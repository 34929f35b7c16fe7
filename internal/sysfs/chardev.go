package sysfs

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// charDevClasses are the classes whose entries name the RDMA device they belong
// to in a file ibdev; the one of the old CM (ucm) is gone since Linux 5.3.
var charDevClasses = []string{"infiniband_verbs", "infiniband_mad", "infiniband_cm"}

// CharDev is a character device that belongs to an RDMA device.
type CharDev struct {
	Name   string // below /dev/infiniband: "uverbs0", "umad0", "issm0"
	Device string // the RDMA device
	// Number is the device number, as st_rdev has it. The kernel does not use it
	// for another device as long as somebody has this one open.
	Number rdma.Opt[uint64]
}

// CharDevs returns the character devices of every RDMA device, by its name:
// paths below /dev/infiniband, sorted. One walk serves all devices.
func (fs *FS) CharDevs() (map[string][]string, []rdma.Warning) {
	found := map[string][]string{}
	all, list := fs.ListCharDevs()
	for _, c := range all {
		found[c.Device] = append(found[c.Device], "/dev/infiniband/"+c.Name)
	}
	for _, paths := range found {
		slices.Sort(paths)
	}
	return found, list
}

// ListCharDevs lists the character devices of all RDMA devices, in no order.
func (fs *FS) ListCharDevs() (all []CharDev, list []rdma.Warning) {
	for _, class := range charDevClasses {
		found, warnings := fs.charDevs(class)
		all, list = append(all, found...), append(list, warnings...)
	}
	return all, list
}

func (fs *FS) charDevs(class string) (all []CharDev, _ []rdma.Warning) {
	w := warnings{object: class}
	dir, err := fs.openDir("class/" + class)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil // the module is not loaded
	}
	if err != nil {
		w.add("list character devices", err)
		return nil, w.list
	}
	defer dir.close()
	names, err := dir.names()
	if err != nil {
		w.add("list character devices", err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "abi_version") {
			continue
		}
		c, err := fs.charDev("class/"+class+"/"+name, name)
		switch {
		case err == nil:
			all = append(all, c)
		case !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV): // else it has gone
			w.add("read "+name+"/ibdev", err)
		}
	}
	return all, w.list
}

func (fs *FS) charDev(path, name string) (CharDev, error) {
	dir, err := fs.openDir(path)
	if err != nil {
		return CharDev{}, err
	}
	defer dir.close()
	var buf [128]byte
	text, err := dir.read("ibdev", buf[:])
	if err != nil {
		return CharDev{}, err
	}
	c := CharDev{Name: name, Device: string(text)}
	if text, err := dir.read("dev", buf[:]); err == nil {
		c.Number = parseDeviceNumber(string(text))
	}
	return c, nil
}

// MiscDev returns the number of a device of class misc, such as "rdma_cm";
// unknown if there is none.
func (fs *FS) MiscDev(name string) rdma.Opt[uint64] {
	dir, err := fs.openDir("class/misc/" + name)
	if err != nil {
		return rdma.Opt[uint64]{}
	}
	defer dir.close()
	var buf [32]byte
	text, err := dir.read("dev", buf[:])
	if err != nil {
		return rdma.Opt[uint64]{}
	}
	return parseDeviceNumber(string(text))
}

// parseDeviceNumber reads "231:192".
func parseDeviceNumber(text string) rdma.Opt[uint64] {
	major, minor, _ := strings.Cut(text, ":")
	a, errMajor := strconv.ParseUint(major, 10, 32)
	b, errMinor := strconv.ParseUint(minor, 10, 32)
	if errMajor != nil || errMinor != nil {
		return rdma.Opt[uint64]{}
	}
	return rdma.Known(unix.Mkdev(uint32(a), uint32(b)))
}
