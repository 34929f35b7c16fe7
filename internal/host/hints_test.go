package host

import (
	"testing"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

func TestHintsConcern(t *testing.T) {
	d := rdma.Device{Index: rdma.Known(uint32(3)), Name: "rxe0"}
	for _, c := range []struct {
		hints []hint
		want  bool
	}{
		{nil, false},
		{[]hint{{}}, true},
		{[]hint{{name: "rxe1"}, {name: "rxe0"}}, true},
		{[]hint{{index: rdma.Known(uint32(3))}}, true},
		{[]hint{{name: "rxe1"}, {index: rdma.Known(uint32(0))}}, false},
		{[]hint{{name: "infiniband_verbs"}}, false},
		{[]hint{{name: "rxe1"}, {}}, true},
	} {
		var todo hints
		for _, h := range c.hints {
			todo.add(h)
		}
		if got := todo.concern(d, &keeper{}); got != c.want {
			t.Errorf("%v: %t", c.hints, got)
		}
	}
	// Unknown is not zero: a hint about index 0 says nothing of a device without one.
	todo := hints{some: []hint{{index: rdma.Known(uint32(0))}}}
	if todo.concern(rdma.Device{Name: "x"}, &keeper{}) {
		t.Error("an unknown index was taken for 0")
	}
}

func TestFollowTree(t *testing.T) {
	h, err := Open(Options{Root: sysfstest.Tree{"class/infiniband/": ""}.Write(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Follow(t.Context(), core.NewRegistry(core.Options{}), FollowOptions{}); err == nil {
		t.Error("followed a copied tree")
	}
}
