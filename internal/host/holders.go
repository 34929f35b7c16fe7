package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ibctl/ibctl/core"
)

// Names are unique in the kernel at any moment, and in the registry too, which
// follows a little later and not all at once: a new device may come under the
// name of one that has yet to leave the registry, or two may have swapped their
// names. Here keepers wait for each other.

// take does something that gives k's device a name in the registry, when the
// name is free. The registry itself waits for a device that is leaving.
func (k *keeper) take(ctx context.Context, name string, do func() error) error {
	defer k.f.setTaking(k, "")
	for {
		freed := k.f.setTaking(k, name)
		err := do()
		switch {
		case err == nil:
			k.f.hold(k, name)
			return nil
		case !errors.Is(err, core.ErrExists):
			k.f.release(k, name) // an undone registration had it for a while
			return err
		case k.f.inCircle(k):
			err = k.stepAside(ctx)
		default:
			err = k.f.wait(ctx, freed, err)
		}
		if err != nil {
			return err
		}
	}
}

// stepAside takes a name that no kernel gives, for the moment, so that those who
// wait for each other's names in a circle get on.
func (k *keeper) stepAside(ctx context.Context) error {
	name := fmt.Sprintf("%s#%d", k.info.Name, k.id.Generation)
	if err := k.f.reg.Rename(ctx, k.id, name); err != nil {
		return err
	}
	k.renamed(name)
	return nil
}

// setTaking notes which name k is about to have, and returns a channel that is
// closed when the next name becomes free.
func (f *follower) setTaking(k *keeper, name string) (freed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k.taking, k.waiting = name, false
	return f.freed
}

// held tells whether another keeper's device has the name; f.mu is held.
func (f *follower) held(k *keeper, name string) bool {
	h := f.holders[name]
	return h != nil && h != k
}

func (f *follower) hold(k *keeper, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holders[name] = k
}

// release notes that k's device has the name no more.
func (f *follower) release(k *keeper, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holders[name] == k {
		delete(f.holders, name)
	}
	close(f.freed)
	f.freed = make(chan struct{})
}

// inCircle tells whether the holder of the name that k is to have waits, in
// however many steps, for the name that k holds. If so k must not wait; if not,
// it is noted that k does.
func (f *follower) inCircle(k *keeper) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.holders[k.taking]
	for range len(f.keepers) {
		if h == k {
			return true
		}
		if h == nil || !h.waiting {
			break
		}
		h = f.holders[h.taking]
	}
	k.waiting = true
	return false
}

// wait waits until a name becomes free, and no longer than a resync: err is
// returned then, to be reported. The name may be one that a stranger registered.
func (f *follower) wait(ctx context.Context, freed <-chan struct{}, err error) error {
	select {
	case <-freed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(f.opts.Resync):
		return err
	}
}
