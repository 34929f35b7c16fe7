package drained

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// ErrBusy says that another ibctl is at work on the device. It is EBUSY.
var ErrBusy = fmt.Errorf("another ibctl is at work on it: %w", unix.EBUSY)

// Lock is the right to change devices.
type Lock struct{ file *os.File }

// Lock takes the right to change devices, all or none. It does not wait.
func (s Store) Lock(devices ...rdma.Device) (*Lock, error) {
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	l := &Lock{f}
	for _, d := range devices {
		if err := l.take(d); err != nil {
			l.Release()
			return nil, fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	return l, nil
}

// take locks the octet of the file that stands for the device. The lock belongs
// to the open file, and ends with it.
func (l *Lock) take(d rdma.Device) error {
	index, ok := d.Index.Get()
	if !ok {
		return ErrNoIndex
	}
	err := unix.FcntlFlock(l.file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: int64(index), Len: 1})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return ErrBusy
	}
	return err
}

// Release gives the right back.
func (l *Lock) Release() { _ = l.file.Close() }
