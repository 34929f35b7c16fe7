package depot

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestFillOnce(t *testing.T) {
	d := &Depot{dir: t.TempDir(), log: io.Discard}
	target := filepath.Join(d.dir, "kernels", "7.x")
	var made atomic.Int32
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			err := d.fill(context.Background(), target, func(tmp string) error {
				made.Add(1)
				return os.WriteFile(filepath.Join(tmp, "file"), nil, 0o644)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if _, err := os.Stat(filepath.Join(target, "file")); err != nil || made.Load() != 1 {
		t.Errorf("made %d times, %v", made.Load(), err)
	}
}

func TestFillFailureLeavesNothing(t *testing.T) {
	d := &Depot{dir: t.TempDir(), log: io.Discard}
	failed := errors.New("half way")
	err := d.fill(context.Background(), filepath.Join(d.dir, "k", "7.x"), func(tmp string) error {
		return errors.Join(os.WriteFile(filepath.Join(tmp, "half"), nil, 0o644), failed)
	})
	if !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(d.dir, "k")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestLockWaitsAndGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(context.Background(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("held lock: %v", err)
	}
	unlock()
	unlock, err = lock(context.Background(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
