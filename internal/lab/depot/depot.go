// Package depot keeps what lab VMs are made of: kernels of three series, and an rdma(8) newer than the distribution's.
//
// They come as Debian packages, through the machine's own apt configuration (mirror, proxy, keys), are unpacked into a cache and
// never installed. A download happens once; a lock keeps two processes from doing it twice, and a rename at the end keeps half a
// kernel from ever being seen.
//
// # Layout
//
//	$XDG_CACHE_HOME/ibctl/lab/      (or ~/.cache/ibctl/lab/)
//	    kernels/6.1/                root of the unpacked kernel packages; 6.12/ and 7.x/ alike
//	    tools/iproute2/             root of the unpacked iproute2
//	    initramfs/                  built by package vm
//	    apt/SUITE/                  apt's lists of that suite, and nothing of the machine's
//	    lock                        held while something is fetched
//
// The root of a kernel holds boot/vmlinuz-RELEASE or lib/modules/RELEASE/vmlinuz, and lib/modules/RELEASE/ with the files that
// depmod(8) writes; usr/lib does as well as lib. IBCTL_LAB_KERNELS=DIR names a directory of such roots that is used instead: DIR
// itself, and each directory in it, is looked at, and a series is served by the newest release that belongs to it.
//
// Nothing in the cache is ever updated: a test that passed yesterday runs on the same kernel today. Remove a directory, and it is
// fetched anew.
package depot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// EnvKernels is the environment variable that names a directory of unpacked kernels.
const EnvKernels = "IBCTL_LAB_KERNELS"

// Depot is a cache of kernels and tools. Its methods may be called by several goroutines and processes at once.
type Depot struct {
	dir     string    // the cache
	kernels string    // unpacked kernels from elsewhere; "" for the cache's own
	log     io.Writer // progress: downloads take a while
}

// Open returns the depot of the user who runs this process. What it does that takes time it tells on log.
func Open(log io.Writer) (*Depot, error) {
	cache, err := os.UserCacheDir() // honours XDG_CACHE_HOME
	if err != nil {
		return nil, fmt.Errorf("lab: no place for a cache: %w", err)
	}
	return &Depot{dir: filepath.Join(cache, "ibctl", "lab"), kernels: os.Getenv(EnvKernels), log: log}, nil
}

// Dir returns the directory name of the cache, for others who keep something in it.
func (d *Depot) Dir() string { return d.dir }

// Kernel returns a kernel of that series and fetches it if it isn't there.
func (d *Depot) Kernel(ctx context.Context, s Series) (Kernel, error) {
	if d.kernels != "" {
		return find(d.kernels, s)
	}
	k, err := find(d.kernelRoot(s), s)
	if !errors.Is(err, os.ErrNotExist) {
		return k, err
	}
	if err := d.fetchKernel(ctx, s); err != nil {
		return Kernel{}, fmt.Errorf("lab: kernel %s can't be had: %w\n%s=DIR names a directory of unpacked kernels from elsewhere", s, err, EnvKernels)
	}
	return find(d.kernelRoot(s), s)
}

func (d *Depot) kernelRoot(s Series) string {
	return filepath.Join(d.dir, "kernels", string(s))
}

func (d *Depot) fetchKernel(ctx context.Context, s Series) error {
	return d.fill(ctx, d.kernelRoot(s), func(tmp string) error {
		if err := d.eachSuite(ctx, s.suites(), func(a *apt) error { return a.unpackKernel(ctx, s, tmp) }); err != nil {
			return err
		}
		return depmod(ctx, tmp, s)
	})
}

// eachSuite tries the suites in turn until one has what is asked for.
func (d *Depot) eachSuite(ctx context.Context, suites []string, try func(*apt) error) error {
	var failures []error
	for _, suite := range suites {
		a, err := newApt(ctx, filepath.Join(d.dir, "apt", suite), suite, d.log)
		if err == nil {
			err = try(a)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		failures = append(failures, fmt.Errorf("suite %s: %w", suite, err))
	}
	return errors.Join(failures...)
}

// fill makes dir by calling make on a temporary directory beside it, which takes dir's place when make has succeeded. If dir
// turns up while this process waits for the lock, another has done the work.
func (d *Depot) fill(ctx context.Context, dir string, make func(tmp string) error) error {
	unlock, err := lock(ctx, filepath.Join(d.dir, "lock"), d.log)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := errors.Join(os.Chmod(tmp, 0o755), make(tmp)); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}
