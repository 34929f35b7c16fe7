package sysfs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// The directories that hold a file for each counter
// (Documentation/ABI/stable/sysfs-class-infiniband).
const (
	// PortCounters are those of the port's performance management agent (PMA):
	// IBTA 16.1.3.5, PortCounters.
	PortCounters = "counters"
	// HWCounters are the driver's own, of a port or of the whole device.
	HWCounters = "hw_counters"
)

// lifespan is a file among the driver's counters that is none: for how many
// milliseconds the kernel keeps them before it asks the driver again.
const lifespan = "lifespan"

// Counter is one file of counters, as the kernel writes it: those of data count
// words of four octets.
type Counter struct {
	Group string // PortCounters or HWCounters
	Name  string
	Value uint64
}

// Counters reads the counters of a port, or of the device as a whole where no
// port is given, sorted by group and name. Those that skip picks are not read:
// on many drivers each costs a command to the firmware. It returns [ErrNoPort]
// or [ErrVanished]; what can't be read is a warning, which files that fail in
// the same way share. The warnings speak of the device by the name given.
//
// No counters at all is no error: few drivers have a PMA, and in shared mode
// other network namespaces than the first see none.
func (d *Device) Counters(name string, port rdma.Opt[uint32], skip func(counter string) bool) ([]Counter, []rdma.Warning, error) {
	r := counterReader{object: name, skip: skip}
	if n, ok := port.Get(); ok {
		r.object = fmt.Sprintf("%s/%d", name, n)
		p, err := d.dir.sub("ports/" + strconv.FormatUint(uint64(n), 10))
		if err != nil {
			return nil, nil, d.portError(r.object, err)
		}
		defer p.close()
		r.group(p, PortCounters)
		r.group(p, HWCounters)
	} else {
		r.group(d.dir, HWCounters)
	}
	if len(r.failures) > 0 && !d.dir.alive() {
		return nil, nil, fmt.Errorf("%s: %w", r.object, ErrVanished)
	}
	return r.counters, r.warnings(), nil
}

// portError says why the directory of a port could not be opened.
func (d *Device) portError(object string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT) && !d.dir.exists("ports"):
		return fmt.Errorf("%s: %w", object, ErrVanished)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: %w", object, ErrNoPort)
	}
	return fmt.Errorf("%s: open port: %w", object, err)
}

// counterReader gathers the counters of one port or device.
type counterReader struct {
	object   string
	skip     func(string) bool
	counters []Counter
	failures []counterFailure
	buf      [64]byte
}

// counterFailure is why some files of a group could not be read.
type counterFailure struct {
	group string
	names []string
	err   error
}

func (r *counterReader) group(parent dir, group string) {
	dir, err := parent.sub(group)
	if err != nil {
		if !errors.Is(err, unix.ENOENT) {
			r.fail(group, "", err)
		}
		return
	}
	defer dir.close()
	names, err := dir.names()
	if err != nil {
		r.fail(group, "", err)
	}
	slices.Sort(names)
	for _, name := range names {
		if name == lifespan || r.skip != nil && r.skip(name) {
			continue
		}
		if v, err := r.value(dir, name); err != nil {
			r.fail(group, name, err)
		} else {
			r.counters = append(r.counters, Counter{group, name, v})
		}
	}
}

func (r *counterReader) value(group dir, name string) (uint64, error) {
	text, err := group.read(name, r.buf[:])
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0, nonsense(text)
	}
	return v, nil
}

// fail notes a file that could not be read, beside those that failed likewise. A
// file that has gone meanwhile belongs to an optional counter.
func (r *counterReader) fail(group, name string, err error) {
	if errors.Is(err, unix.ENOENT) {
		return
	}
	i := slices.IndexFunc(r.failures, func(f counterFailure) bool {
		return f.group == group && f.err.Error() == err.Error()
	})
	if i < 0 {
		r.failures = append(r.failures, counterFailure{group, []string{name}, err})
		return
	}
	r.failures[i].names = append(r.failures[i].names, name)
}

func (r *counterReader) warnings() []rdma.Warning {
	w := warnings{object: r.object}
	for _, f := range r.failures {
		w.add(f.operation(), f.err)
	}
	return w.list
}

// operation is "read counters/symbol_error and 20 more".
func (f counterFailure) operation() string {
	op := "read " + f.group
	if f.names[0] != "" {
		op += "/" + f.names[0]
	}
	if more := len(f.names) - 1; more > 0 {
		op += fmt.Sprintf(" and %d more", more)
	}
	return op
}
