package sysfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// Detail says how much to read.
type Detail uint8

const (
	// Summary reads what a list shows: GUIDs, firmware, PCI address, NUMA node
	// and driver, and of the ports all but the capability mask.
	Summary Detail = iota
	// Full reads node description, HCA type, board, hardware revision and
	// capability masks too. On many drivers each file of a port costs a command
	// to the firmware.
	Full
)

// Complete fills in what d does not know yet: a device that nldev has described
// costs few files more, one of which only the name is known costs them all. The
// caller may have filled Index, and whatever else it knows better.
//
// It returns [ErrNoDevice] if there is no device of that name and [ErrVanished]
// if it went away meanwhile; d then holds a part. Everything else that could not
// be read is a warning.
func (fs *FS) Complete(d *rdma.Device, detail Detail) ([]rdma.Warning, error) {
	dir, err := fs.openDevice(d.Name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	defer dir.close()
	r := reader{fs: fs, dir: dir, detail: detail, warnings: warnings{object: d.Name}}
	r.device(d)
	r.identity(d)
	r.ports(d)
	if r.suspicious && !r.dir.alive() {
		return nil, fmt.Errorf("%s: %w", d.Name, ErrVanished)
	}
	return r.list, nil
}

// reader reads the files of one directory, that of a device or of a port.
type reader struct {
	fs     *FS
	dir    dir
	detail Detail
	warnings
	// suspicious is set when something was not there that should be: the device
	// may have gone away.
	suspicious bool
	buf        [maxFile]byte
}

func (r *reader) device(d *rdma.Device) {
	readOpt(r, &d.NodeType, "node_type", parseNodeType)
	readOpt(r, &d.NodeGUID, "node_guid", parseGUID)
	readOpt(r, &d.SysImageGUID, "sys_image_guid", parseGUID)
	r.text(&d.Firmware, "fw_ver")
	if r.detail < Full {
		return
	}
	r.text(&d.NodeDesc, "node_desc")
	r.text(&d.HCAType, "hca_type")
	r.text(&d.BoardID, "board_id")
	r.text(&d.HWRev, "hw_rev")
}

// file reads one file. A file that is not there is no warning.
func (r *reader) file(name string) ([]byte, bool) {
	text, err := r.dir.read(name, r.buf[:])
	switch {
	case err == nil:
		return text, true
	case errors.Is(err, unix.ENOENT):
		return nil, false
	case errors.Is(err, unix.ENODEV):
		r.suspicious = true // so does a driver whose netdev is missing
	}
	r.add("read "+name, err)
	return nil, false
}

// readOpt reads a file that every kernel has, unless dst is known already.
func readOpt[T any](r *reader, dst *rdma.Opt[T], name string, parse func([]byte) (T, error)) {
	if dst.IsKnown() {
		return
	}
	text, ok := r.file(name)
	if !ok {
		r.suspicious = true
		return
	}
	v, err := parse(text)
	if err != nil {
		r.add("read "+name, err)
		return
	}
	*dst = rdma.Known(v)
}

// text reads a file that not every driver has.
func (r *reader) text(dst *string, name string) {
	if *dst != "" {
		return
	}
	if text, ok := r.file(name); ok {
		*dst = string(text)
	}
}
