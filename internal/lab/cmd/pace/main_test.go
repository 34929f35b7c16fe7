package main

import (
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/bench"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

func TestTables(t *testing.T) {
	root := sysfstest.Tree{
		"rxe0/ports/1/gids/0": "", "rxe0/ports/1/gids/1": "",
		"rxe1/ports/1/gids/0": "",
	}.Write(t)
	got, err := tables(root)
	want := []table{{root + "/rxe0/ports/1", 2}, {root + "/rxe1/ports/1", 1}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got := join(got); got != "2, 1" {
		t.Errorf("slots: %q", got)
	}
}

func TestTablesNeedsPorts(t *testing.T) {
	if got, err := tables(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no ports") {
		t.Errorf("got %v, %v", got, err)
	}
}

// The loop that stands for show_gids prints the slots in use, and only those.
func TestSysfsLoop(t *testing.T) {
	const zero = "0000:0000:0000:0000:0000:0000:0000:0000\n"
	port := sysfstest.Tree{
		"gids/0": "fe80::1\n", "gids/1": zero, "gids/2": "fe80::2\n",
		"gid_attrs/types/0": "RoCE v2\n", "gid_attrs/ndevs/0": "eth0\n",
		"gid_attrs/types/2": "RoCE v2\n", "gid_attrs/ndevs/2": "eth0\n",
	}.Write(t)
	all := pairs(3, []table{{port, 3}, {"elsewhere", 3}})
	loop := all[slices.IndexFunc(all, func(p bench.Pair) bool { return p.Scale > 0 })]
	if loop.Scale != 2 || loop.Runs != 1 {
		t.Errorf("scale %d, runs %d", loop.Scale, loop.Runs)
	}
	out, err := exec.Command(loop.B[0], loop.B[1:]...).CombinedOutput()
	if want := "0 fe80::1 RoCE v2 eth0\n2 fe80::2 RoCE v2 eth0\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}
