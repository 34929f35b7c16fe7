package core

// gate is an active count with a completion: users come and go while it is
// open; once it is shut none can enter, and empty is closed when the last has
// left. The kernel builds the same of refcount_inc_not_zero and
// wait_for_completion.
//
// The mutex of the gate's owner guards it; empty may be waited for without.
type gate struct {
	inside int
	shut   bool
	empty  chan struct{}
}

func newGate() gate { return gate{empty: make(chan struct{})} }

// enter counts a user in, unless the gate is shut.
func (g *gate) enter() bool {
	if g.shut {
		return false
	}
	g.inside++
	return true
}

// leave counts a user out.
func (g *gate) leave() {
	g.inside--
	g.complete()
}

// shutOnce shuts the gate and tells whether this call did it.
func (g *gate) shutOnce() bool {
	if g.shut {
		return false
	}
	g.shut = true
	g.complete()
	return true
}

func (g *gate) complete() {
	if g.shut && g.inside == 0 {
		close(g.empty)
	}
}
