package e2e

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/soak"
)

// situation is what an example may say that it needs, in a comment before its
// display, beyond the topology. It lasts until the test of the example ends.
type situation struct {
	kernels   string             // a pattern: on others it is not to be had
	begin     func(t *testing.T) // brings it about
	meanwhile func(t *testing.T) // what happens while a command runs that does not end by itself
}

var situations = map[string]situation{
	"":           {},
	"Linux 6.12": {kernels: `^6\.12$`},
	"ib_write_bw and rping wait on rxe0, and the kernel for them": {
		kernels: `^6`, // waits
		begin:   func(t *testing.T) { waitOn(t, "192.0.2.10") },
	},
	"Linux 6.12, and ib_write_bw writes over rxe0": {
		kernels: `^6\.12$`,
		begin:   writeOverRXE0,
	},
	"eth3 is set down meanwhile": {
		meanwhile: func(t *testing.T) {
			run(t, "ip", "link", "set", "eth3", "down")
			t.Cleanup(func() { run(t, "ip", "link", "set", "eth3", "up") })
		},
	},
	"ibctl serve runs": {begin: func(t *testing.T) { serve(t, "") }},
	"ibctl serve runs; rdma deletes rxe3 meanwhile, and adds rxe9": {
		begin: func(t *testing.T) { serve(t, "") },
		meanwhile: func(t *testing.T) {
			run(t, "rdma", "link", "del", "rxe3")
			t.Cleanup(func() { run(t, "rdma", "link", "add", "rxe3", "type", "rxe", "netdev", "eth3") })
			run(t, "rdma", "link", "add", "rxe9", "type", "rxe", "netdev", "eth3")
			t.Cleanup(func() { run(t, "rdma", "link", "del", "rxe9") })
		},
	},
	"ibctl serve runs; ibctl removes rxe3 meanwhile": {
		begin: func(t *testing.T) { serve(t, "") },
		meanwhile: func(t *testing.T) {
			run(t, "ibctl", "dev", "remove", "rxe3")
			t.Cleanup(func() { run(t, "rdma", "link", "add", "rxe3", "type", "rxe", "netdev", "eth3") })
		},
	},
}

// onOneKernel is for what depends little on the kernel, and takes long: make soak runs it
// on all.
func onOneKernel(t *testing.T) {
	t.Helper()
	if !soak.On() && !lab.OneOf() {
		t.Skip("it is run on another kernel")
	}
}

// onOldestAndNewest is for what takes long, and is least likely to differ on a kernel
// between the two: make soak runs it on all.
func onOldestAndNewest(t *testing.T) {
	t.Helper()
	if !soak.On() && lab.InBetween() {
		t.Skip("it is run on an older and on a newer kernel")
	}
}

func kernelSeries() string {
	series, _ := lab.Inside()
	return string(series)
}

func writeOverRXE0(t *testing.T) {
	startGroup(t, "ib_write_bw", "-d", "rxe0", "-x", "1", "-s", "1024", "-D", "600")
	waitFor(t, "ib_write_bw to wait", func() bool { return listening("18515") })
	startGroup(t, "ib_write_bw", "-d", "rxe0", "-x", "1", "-s", "1024", "-D", "600", "192.0.2.10")
	waitFor(t, "ib_write_bw to write", func() bool {
		return hasObjects(t, "qp", "state", "RTS", 2) && hasObjects(t, "mr", "comm", "ib_write_bw", 2)
	})
}

// awaitRest returns when a process has used no processor for half a second: one
// that has started to watch tells nobody, and waits then, if only for a second.
func awaitRest(t *testing.T, pid int) {
	t.Helper()
	var used string
	since := time.Now()
	waitFor(t, "the program to come to rest", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		// utime and stime of proc_pid_stat(5), of which the name in parentheses may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if now := fmt.Sprintf("%s %s", fields[11], fields[12]); now != used {
			used, since = now, time.Now()
		}
		return time.Since(since) > time.Second/2
	})
}
