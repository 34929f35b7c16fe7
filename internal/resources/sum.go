package resources

import (
	"cmp"
	"slices"
)

// SumKeys are the attributes by which [Sum] can put objects together.
func SumKeys() []string {
	return append([]string{"device", "port", "type", "state"}, ownerKeys...)
}

// carried are the attributes that a sum has besides the one that it is by: what
// is the same for all objects of one owner.
var carried = map[string][]string{
	"pid":  {"comm", "uid", "user", "unit", "pod", "container", "slurm_job"},
	"tid":  {"pid", "comm", "thread", "uid", "user", "unit", "pod", "container", "slurm_job"},
	"uid":  {"user"},
	"user": {"uid"},
}

// Sum counts objects by the value of an attribute: those of one process, of one
// user, of one state. Each sum has the attribute, the devices, a count for each
// kind that occurs, and in mr_octets the memory that is registered. Objects
// without the attribute are in one sum for each of their owners' names, and those
// that lack that too in one of the rest. The largest sums come first.
func Sum(all []Object, by string) []Attrs {
	groups := map[[2]string]*group{}
	var order []*group
	for _, o := range all {
		key := [2]string{o.Text(by), ""}
		if key[0] == "" {
			key[1] = o.Text("comm")
		}
		g := groups[key]
		if g == nil {
			g = newGroup(o, by)
			groups[key], order = g, append(order, g)
		}
		g.add(o)
	}
	slices.SortStableFunc(order, func(a, b *group) int { return cmp.Compare(b.total, a.total) })
	sums := make([]Attrs, len(order))
	for i, g := range order {
		sums[i] = g.attrs()
	}
	return sums
}

// group is a sum in the making.
type group struct {
	list
	devices []string
	counts  map[Kind]uint64
	octets  uint64
	total   uint64
}

func newGroup(o Object, by string) *group {
	g := &group{counts: map[Kind]uint64{}}
	if a, ok := o.Get(by); ok {
		g.Attrs = append(g.Attrs, a)
	}
	also := carried[by]
	if len(g.Attrs) == 0 {
		also = []string{"comm"}
	}
	for _, key := range also {
		if a, ok := o.Get(key); ok && key != by {
			g.Attrs = append(g.Attrs, a)
		}
	}
	return g
}

func (g *group) add(o Object) {
	g.counts[o.Kind]++
	g.total++
	if n, ok := o.Uint("mrlen"); ok && o.Kind == MR {
		g.octets += n
	}
	if name := o.Text("device"); !slices.Contains(g.devices, name) {
		g.devices = append(g.devices, name)
	}
}

func (g *group) attrs() Attrs {
	g.Attrs = append(g.Attrs, Attr{Key: "devices", Value: g.devices})
	for _, k := range Kinds() {
		if n := g.counts[k]; n > 0 {
			g.number(string(k), n)
		}
	}
	if g.counts[MR] > 0 {
		g.number("mr_octets", g.octets)
	}
	return g.Attrs
}
