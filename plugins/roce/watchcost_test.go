package roce

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// fileReader reads a tree of files with the system calls that read sysfs.
type fileReader struct {
	name string
	dir  *sysfs.Device
}

func (r fileReader) table(ctx context.Context, port uint32, used *sysfs.Used) ([]rdma.GIDEntry, []rdma.Warning, error) {
	if used == nil {
		t, w, err := r.dir.GIDs(ctx, r.name, port, false)
		return t.Entries, w, err
	}
	t, w, err := r.dir.UsedGIDs(ctx, r.name, port, *used)
	return t.Entries, w, err
}

// rxeTree is a port of soft RoCE: 1,024 slots, of which 8 are in use.
func rxeTree() sysfstest.Tree {
	tree := sysfstest.Tree{}
	for i := range 1024 {
		gid := "0000:0000:0000:0000:0000:0000:0000:0000"
		if i < 8 {
			gid = fmt.Sprintf("0000:0000:0000:0000:0000:ffff:0a00:%04x", i+1)
		}
		tree[fmt.Sprintf("gids/%d", i)] = gid + "\n"
		tree[fmt.Sprintf("gid_attrs/types/%d", i)] = "RoCE v2\n"
		tree[fmt.Sprintf("gid_attrs/ndevs/%d", i)] = "eth0\n"
	}
	return tree.Under("class/infiniband/rxe0/ports/1")
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestWatchCost: ten changes a second of a table of 1,024 slots cost less than 5 % of
// a core, with the reading of files.
func TestWatchCost(t *testing.T) {
	root := rxeTree().Write(t)
	dir, err := sysfs.Trusted(root).OpenDevice("rxe0")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	f := newFakeDevice("rxe0", "")
	f.device.reader = fileReader{"rxe0", dir}
	h := deaf()
	h.add(f.device)
	s := newSubscriber(&rocev1.WatchGIDsRequest{})
	if err := h.join(s); err != nil {
		t.Fatal(err)
	}
	for ready := false; !ready; {
		list, err := s.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			ready = ready || c.GetKind() == kindReady
		}
	}
	file := filepath.Join(root, "class/infiniband/rxe0/ports/1/gids/8")
	const turns = 20
	before, began, changes := cpuTime(t), time.Now(), 0
	for i := range turns {
		gid := fmt.Sprintf("0000:0000:0000:0000:0000:ffff:0a01:%04x\n", i+1)
		if err := os.WriteFile(file, []byte(gid), 0o644); err != nil {
			t.Fatal(err)
		}
		h.poke(anyPort)
		list, err := s.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		changes += len(list)
		time.Sleep(time.Until(began.Add(time.Duration(i+1) * 100 * time.Millisecond)))
	}
	used, took := cpuTime(t)-before, time.Since(began)
	percent := 100 * used.Seconds() / took.Seconds()
	t.Logf("%d changes in %v: %v of CPU time, %.2f %% of a core", changes, took.Round(time.Millisecond), used, percent)
	if percent > 5 {
		t.Errorf("%.2f %% of a core", percent)
	}
	h.leave(s)
	f.working.Wait()
}
