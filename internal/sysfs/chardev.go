package sysfs

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// charDevClasses are the classes whose entries name the RDMA device they belong
// to in a file ibdev; the one of the old CM (ucm) is gone since Linux 5.3.
var charDevClasses = []string{"infiniband_verbs", "infiniband_mad", "infiniband_cm"}

// CharDevs returns the character devices of every RDMA device, by its name:
// paths below /dev/infiniband, sorted. One walk serves all devices.
func (fs *FS) CharDevs() (map[string][]string, []rdma.Warning) {
	found := map[string][]string{}
	var list []rdma.Warning
	for _, class := range charDevClasses {
		list = append(list, fs.charDevs(class, found)...)
	}
	for _, paths := range found {
		slices.Sort(paths)
	}
	return found, list
}

func (fs *FS) charDevs(class string, found map[string][]string) []rdma.Warning {
	w := warnings{object: class}
	dir, err := fs.openDir("class/" + class)
	if errors.Is(err, unix.ENOENT) {
		return nil // the module is not loaded
	}
	if err != nil {
		w.add("list character devices", err)
		return w.list
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
		device, err := fs.charDevOwner("class/" + class + "/" + name)
		switch {
		case err == nil:
			found[device] = append(found[device], "/dev/infiniband/"+name)
		case !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV): // else it has gone
			w.add("read "+name+"/ibdev", err)
		}
	}
	return w.list
}

func (fs *FS) charDevOwner(path string) (string, error) {
	dir, err := fs.openDir(path)
	if err != nil {
		return "", err
	}
	defer dir.close()
	var buf [128]byte
	text, err := dir.read("ibdev", buf[:])
	return string(text), err
}
