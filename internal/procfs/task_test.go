package procfs

import (
	"errors"
	"slices"
	"testing"
)

func TestTasks(t *testing.T) {
	f := tree(t, map[string]string{
		"439/task/439/stat":  "439 (rdma) D 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99\n",
		"439/task/439/wchan": "ib_uverbs_remove_one",
		"439/task/439/stack": "[<0>] ib_uverbs_remove_one+0x1a6/0x1d0 [ib_uverbs]\n[<0>] nldev_dellink+0x92/0xe0 [ib_core]\n",
		"439/task/440/stat":  "440 (rdma) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99\n",
		"439/task/440/wchan": "0",
		"439/task/441/x":     "",
	})
	all, err := f.Tasks(439)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	stuck, idle := all[0], all[1]
	want := []string{"ib_uverbs_remove_one+0x1a6/0x1d0 [ib_uverbs]", "nldev_dellink+0x92/0xe0 [ib_core]"}
	if !stuck.Blocked() || stuck.Waiting != "ib_uverbs_remove_one" || !slices.Equal(stuck.Stack, want) {
		t.Errorf("%+v", stuck)
	}
	if idle.Blocked() || idle.Waiting != "" || idle.Stack != nil {
		t.Errorf("%+v", idle)
	}
	if _, err := f.Tasks(1); !errors.Is(err, ErrGone) {
		t.Errorf("no such process: %v", err)
	}
}
