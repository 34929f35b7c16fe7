package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

// childrenOf lists the processes that one has started and not seen end.
func childrenOf(t *testing.T, pid int) []string {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("children of process %d: %v, %v", pid, tasks, err)
	}
	var pids []string
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil && !os.IsNotExist(err) { // the thread has ended
			t.Fatal(err)
		}
		pids = append(pids, strings.Fields(string(text))...)
	}
	return pids
}

// A plugin with a head start ends with the verb that it was started for, also if
// that comes to need none.
func TestHeadStartLeavesNothing(t *testing.T) {
	device := sysfstest.Tree{
		"node_type": "1: CA\n", "ports/1/link_layer": "Ethernet\n",
		"ports/1/gids/0": "fe80:0000:0000:0000:0000:0000:0000:0001\n",
	}
	full := device.Under("class/infiniband/mlx5_0").Write(t)
	empty := sysfstest.Tree{"class/infiniband/": ""}.Write(t)
	tests := []struct {
		root string
		args []string
		want int
	}{
		{full, []string{"gid", "show"}, exitDone},
		{full, []string{"gid", "show", "nosuch"}, exitNotFound},
		{full, []string{"gid", "show", "mlx5_0/9"}, exitNotFound},
		{full, []string{"gid", "show", "--type", "v9"}, exitUsage},
		{full, []string{"gid", "show", "--timeout", "1ns"}, exitTryAgain},
		{empty, []string{"gid", "show"}, exitDone},
	}
	for _, tt := range tests {
		var stdout, stderr bytes.Buffer
		args := append([]string{"ibctl", "--root", tt.root}, tt.args...)
		if got := run(args, strings.NewReader(""), &stdout, &stderr); got != tt.want {
			t.Errorf("%v: exit code %d, want %d\n%s", tt.args, got, tt.want, &stderr)
		}
		if left := childrenOf(t, os.Getpid()); len(left) > 0 {
			t.Errorf("%v: processes %v are left", tt.args, left)
		}
	}
}
