package supervisor

import (
	"os"
	"sync/atomic"
)

// childless is a group of one: the process is asked to make itself unable to
// start others. Until it says that it did, it is a group like any.
type childless struct {
	group
	alone atomic.Bool
}

func (c *childless) guarantee() Guarantee {
	if c.alone.Load() {
		return GuaranteeChildless
	}
	return GuaranteeProcessGroup
}

// bury has nothing but the process to wait for.
func (c *childless) bury(p *os.Process) (*os.ProcessState, error) {
	if err := waitZombie(p); err != nil {
		return nil, err
	}
	if c.alone.Load() {
		return c.reap(p)
	}
	return c.group.bury(p)
}
