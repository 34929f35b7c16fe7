package holders

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/procfs"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// findOpenFiles looks through the descriptors of all processes for those of a
// device's character devices.
func (s *scan) findOpenFiles(ctx context.Context) error {
	devs, warnings := s.sys.ListCharDevs()
	s.warnings = append(s.warnings, warnings...)
	pids, err := s.proc.PIDs()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		open, err := s.proc.Descriptors(pid, mayBeCharDev)
		if isHidden(err) {
			s.hidden++
		}
		if notOurselves(pid) {
			s.note(pid, open, devs)
		}
	}
	return nil
}

// mayBeCharDev picks paths that may lead to a character device of RDMA, in this
// mount namespace or another's.
func mayBeCharDev(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(path, "/dev/") || strings.Contains(path, "/infiniband/") ||
		strings.HasPrefix(name, "uverbs") || strings.HasPrefix(name, "umad") || strings.HasPrefix(name, "issm")
}

func (s *scan) note(pid int, open []procfs.Descriptor, devs []sysfs.CharDev) {
	for _, d := range open {
		if c, ok := charDevOf(d, devs); ok {
			s.open[c.Device] = append(s.open[c.Device], OpenFile{PID: pid, FD: rdma.Known(d.FD), Name: c.Name})
		}
	}
}

// charDevOf goes by the device number, and by the name where one of the two is
// not known.
func charDevOf(d procfs.Descriptor, devs []sysfs.CharDev) (sysfs.CharDev, bool) {
	number, known := d.Dev.Get()
	for _, c := range devs {
		if n, ok := c.Number.Get(); known && ok {
			if n == number {
				return c, true
			}
			continue
		}
		if !d.Deleted() && d.Name() == c.Name && strings.Contains(d.Path, "infiniband/") {
			return c, true
		}
	}
	return sysfs.CharDev{}, false
}

// compareFiles finds the descriptors that are one open file.
func (s *scan) compareFiles() {
	last := 0
	for _, open := range s.open {
		for i := range open {
			for j := range i {
				if open[j].File != 0 && s.isSame(open[i], open[j]) {
					open[i].File = open[j].File
					break
				}
			}
			if open[i].File == 0 && s.isSame(open[i], open[i]) {
				last++
				open[i].File = last
			}
		}
	}
}

// isSame says no where it cannot be told; a file that cannot even be compared
// with itself keeps its number zero.
func (s *scan) isSame(a, b OpenFile) bool {
	x, okX := a.FD.Get()
	y, okY := b.FD.Get()
	if a.Name != b.Name || !okX || !okY {
		return false
	}
	same, err := s.proc.SameFile(a.PID, x, b.PID, y)
	return err == nil && same
}
