package plugintest

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// The rules for what a plugin is told of a device, and when.

func (c *trial) start() *running { return c.host(supervisor.Limits{}).start() }

// refused fails the trial unless an Add was refused as one of a past device is.
func (c *trial) refused(what string, err error) {
	if status.Code(err) != codes.FailedPrecondition {
		c.errorf("Add of %s: %v, want FAILED_PRECONDITION", what, orOK(err))
	}
}

func orOK(err error) any {
	if err == nil {
		return "OK"
	}
	return err
}

// tryRepeatedAdd adds a device twice in one conversation, and once in another.
// After one Remove it is gone all the same.
func tryRepeatedAdd(c *trial) {
	r := c.start()
	dev := r.next(0)
	one := r.attach(dev)
	other := r.talk(dev.ID)
	if err := one.add(dev); err != nil {
		c.errorf("the second Add: %v", err)
	}
	if err := other.add(dev); err != nil {
		c.errorf("an Add in another conversation: %v", err)
	}
	one.finish()
	other.end()
}

func tryRepeatedRemove(c *trial) {
	r := c.start()
	dev := r.next(0)
	one := r.attach(dev)
	other := r.talk(dev.ID)
	if err := one.remove(); err != nil {
		c.fatalf("Remove: %v", err)
	}
	if err := one.remove(); err != nil {
		c.errorf("the second Remove: %v", err)
	}
	if err := other.remove(); err != nil {
		c.errorf("a Remove in another conversation: %v", err)
	}
	one.end()
	other.end()
}

func tryUnknownRemove(c *trial) {
	r := c.start()
	dev := r.next(0)
	one := r.talk(dev.ID)
	if err := one.remove(); err != nil {
		c.errorf("Remove before any Add: %v", err)
	}
	one.end()
	two := r.talk(dev.ID)
	if err := two.add(dev); err != nil {
		c.errorf("Add of a device that was never added, but removed: %v", err)
	}
	two.finish()
}

// tryAddAgain takes a device out of service, and puts it back.
func tryAddAgain(c *trial) {
	r := c.start()
	dev := r.next(0)
	r.attach(dev).finish()
	again := r.talk(dev.ID)
	if err := again.add(dev); err != nil {
		c.fatalf("Add of a device that was removed: %v", err)
	}
	again.finish()
	r.attach(r.next(0)).finish() // its successor is welcome
}

func tryStaleAdd(c *trial) {
	r := c.start()
	old, older, dev := r.next(0), r.next(0), r.next(0)
	one := r.attach(dev)
	two := r.talk(older.ID)
	c.refused("an older generation than the one attached", two.add(older))
	two.end()
	one.finish()
	three := r.talk(old.ID)
	c.refused("an older generation than the one removed", three.add(old))
	three.end()
}

func tryOtherEpoch(c *trial) {
	r := c.start()
	dev := r.next(0)
	t := r.talk(dev.ID)
	t.id = &pluginv1.DeviceID{Epoch: t.id.GetEpoch() + 1, Index: t.id.GetIndex(), Generation: t.id.GetGeneration()}
	c.refused("an id of another epoch", t.add(dev))
	t.end()
}

// tryOvertaking sends both requests at once. Whatever comes of the Add, it is
// answered first, and the Remove is OK.
func tryOvertaking(c *trial) {
	r := c.start()
	for i := range 20 {
		dev := r.next(i)
		t := r.talk(dev.ID)
		t.ask(addRequest(dev))
		t.ask(removeRequest())
		_ = t.added("An Add that a Remove follows")
		if err := t.removed("The Remove that follows it"); err != nil {
			c.errorf("Remove: %v", err)
		}
		t.end()
	}
}

func tryChange(c *trial) {
	r := c.start()
	dev := r.next(0)
	t := r.attach(dev)
	known := uint32(core.ChangeName | core.ChangeInfo | core.ChangeGIDs | core.ChangeNetdev)
	for _, what := range []uint32{uint32(core.ChangeName), uint32(core.ChangeGIDs), known, 1 << 30, known | 1<<30} {
		_ = t.change(dev, what) // an error is noted, no more
	}
	t.finish()
}

// tryIndependence has all devices attached at the same time.
func tryIndependence(c *trial) {
	r := c.start()
	devices := make([]core.Device, len(c.plugin.Devices))
	talks := make([]*talk, len(devices))
	for i := range devices {
		devices[i] = r.next(i)
		talks[i] = r.talk(devices[i].ID)
		talks[i].ask(addRequest(devices[i]))
	}
	for i, t := range talks {
		if err := t.added("Add of " + devices[i].Info.Name); err != nil {
			c.errorf("Add of %s with others attached: %v", devices[i].Info.Name, err)
		}
	}
	for _, t := range talks {
		t.ask(removeRequest())
	}
	for i, t := range talks {
		if err := t.removed("Remove of " + devices[i].Info.Name); err != nil {
			c.errorf("Remove of %s: %v", devices[i].Info.Name, err)
		}
		t.end()
	}
}
