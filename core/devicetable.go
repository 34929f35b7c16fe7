package core

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ibctl/ibctl/core/rdma"
)

// device is one incarnation of a device, from the reservation of its name to the
// release of it.
type device struct {
	id ID
	// turn holds a token while somebody calls clients for the device. A channel
	// serves its senders in the order in which they came, and a wait for it can
	// be given up.
	turn chan struct{}

	// devicesMu guards these.
	tenure
	info    *rdma.Device            // replaced, never modified
	holders map[string]int          // who holds leases, and how many
	awaited bool                    // the wait for them is announced
	recall  context.CancelCauseFunc // of the call that runs, unless it is Remove
	service service

	// The turn guards this.
	attached []*attachment // in the order of their Adds
}

func newDevice(id ID, info rdma.Device) *device {
	d := &device{
		id:      id,
		turn:    make(chan struct{}, 1),
		tenure:  newTenure(),
		holders: map[string]int{},
		service: inService(),
	}
	d.setInfo(info)
	return d
}

// setInfo keeps a copy, so that nothing the caller does can change it.
func (d *device) setInfo(info rdma.Device) {
	info.Ports = slices.Clone(info.Ports)
	info.CharDevs = slices.Clone(info.CharDevs)
	d.info = &info
}

func (d *device) picture() Device { return Device{ID: d.id, Info: *d.info} }

// yield gives the turn to the next.
func (d *device) yield() { <-d.turn }

// deviceTable is the device list. A device is on it until it is freed, and so
// long its name and index are taken. devicesMu guards it.
type deviceTable struct {
	generation   uint64 // the last one given out
	byGeneration map[uint64]*device
	byName       map[string]*device
	byIndex      map[uint32]*device
}

func newDeviceTable() deviceTable {
	return deviceTable{
		byGeneration: map[uint64]*device{},
		byName:       map[string]*device{},
		byIndex:      map[uint32]*device{},
	}
}

// insert gives info a generation, and takes its name and index.
func (t *deviceTable) insert(info rdma.Device) *device {
	t.generation++
	d := newDevice(ID{Index: info.Index.Or(NoIndex), Generation: t.generation}, info)
	t.byGeneration[d.id.Generation] = d
	t.byName[info.Name] = d
	if d.id.Index != NoIndex {
		t.byIndex[d.id.Index] = d
	}
	return d
}

// remove releases d's name and index.
func (t *deviceTable) remove(d *device) {
	delete(t.byGeneration, d.id.Generation)
	delete(t.byName, d.info.Name)
	if d.id.Index != NoIndex {
		delete(t.byIndex, d.id.Index)
	}
}

// rename gives d another name, which must be free.
func (t *deviceTable) rename(d *device, name string) {
	info := *d.info
	delete(t.byName, info.Name)
	info.Name = name
	d.info = &info
	t.byName[name] = d
}

// find returns the device that id names, be it registered or leaving.
func (t *deviceTable) find(id ID) (*device, error) {
	d, ok := t.byGeneration[id.Generation]
	switch {
	case ok && d.id == id:
		return d, nil
	case !ok && 0 < id.Generation && id.Generation <= t.generation:
		return nil, ErrStale
	}
	return nil, ErrNotRegistered
}

// obstacle returns the device in the way of a newcomer with that name and
// index, if it is leaving; if it is there to stay, an error; else nothing.
func (t *deviceTable) obstacle(name string, index rdma.Opt[uint32]) (*device, error) {
	var leaving *device
	inTheWay := []*device{t.byName[name]}
	if i, ok := index.Get(); ok {
		inTheWay = append(inTheWay, t.byIndex[i])
	}
	for _, d := range inTheWay {
		switch {
		case d == nil:
		case !d.leaving():
			return nil, fmt.Errorf("%w as %v", ErrExists, d.picture())
		default:
			leaving = d
		}
	}
	return leaving, nil
}

// registered returns the registered devices that are kept, oldest first.
func (t *deviceTable) registered(keep func(*device) bool) []*device {
	list := make([]*device, 0, len(t.byGeneration))
	for _, d := range t.byGeneration {
		if !d.leaving() && keep(d) {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *device) int { return cmp.Compare(a.id.Generation, b.id.Generation) })
	return list
}
