package daemon

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/drained"
)

// records are what is written of devices that are drained, and what should be: the
// directory may be removed with all the others in /run/ibctl.
type records struct {
	drained.Store

	mu   sync.Mutex
	kept map[uint32]drained.Entry
}

// Get is that of the store.
func (r *records) Get(d rdma.Device) (drained.Entry, bool, error) {
	e, is, err := r.Store.Get(d)
	if is && err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.kept == nil {
			r.kept = map[uint32]drained.Entry{}
		}
		r.kept[e.Index] = e
	}
	return e, is, err
}

// Put is that of the store.
func (r *records) Put(d rdma.Device) error {
	if err := r.Store.Put(d); err != nil {
		return err
	}
	_, _, err := r.Get(d)
	return err
}

// Forget is that of the store.
func (r *records) Forget(index uint32) error {
	if err := r.Store.Forget(index); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.kept, index)
	return nil
}

// rewrite writes again what is lost.
func (r *records) rewrite() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for index, e := range r.kept {
		_, is, err := r.Store.Get(rdma.Device{Name: e.Name, Index: rdma.Known(index)})
		if !is && err == nil {
			err = r.Restore(e)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("write again that %s is drained: %w", e.Name, err))
		}
	}
	return errors.Join(errs...)
}
