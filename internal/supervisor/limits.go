package supervisor

import (
	"cmp"
	"time"
)

// Limits bound everything that waits for a plugin or keeps something of it. A
// zero field stands for its default.
type Limits struct {
	// Start is from exec to the reply to Configure. 10 s.
	Start time.Duration
	// Add, Change and Remove are from request to reply for one device; a plugin
	// that exceeds one is killed. 30 s, 10 s, 30 s.
	Add, Change, Remove time.Duration
	// Call is for unary calls whose context has no deadline. 10 s.
	Call time.Duration
	// HostCall is for ibctl's own answer to a plugin. 5 s.
	HostCall time.Duration
	// Shutdown is from Shutdown to the exit of the process, which is then
	// killed. 2 s.
	Shutdown time.Duration
	// Crash is how long a plugin whose streams broke off is given to turn out to
	// have crashed, before it is killed. 100 ms.
	Crash time.Duration
	// Drain is how long after the tree's death its output is still read. Only a
	// process that escaped the tree can keep it open. 1 s.
	Drain time.Duration

	// BackoffMin and BackoffMax bound the pause before a restart, which doubles
	// from crash to crash and is cut by up to half at random. 200 ms, 30 s.
	BackoffMin, BackoffMax time.Duration
	// Crashes within Window quarantine the plugin: it is not started again. 5
	// within 5 min.
	Crashes int
	Window  time.Duration

	// LogLine is the longest line of a plugin's output that is kept whole, in
	// octets; LogRate is how many lines a second are kept; LogTail is how many of
	// the last lines an error quotes. 8192, 200, 20.
	LogLine, LogRate, LogTail int
}

func (l Limits) withDefaults() Limits {
	l.Start = cmp.Or(l.Start, 10*time.Second)
	l.Add = cmp.Or(l.Add, 30*time.Second)
	l.Change = cmp.Or(l.Change, 10*time.Second)
	l.Remove = cmp.Or(l.Remove, 30*time.Second)
	l.Call = cmp.Or(l.Call, 10*time.Second)
	l.HostCall = cmp.Or(l.HostCall, 5*time.Second)
	l.Shutdown = cmp.Or(l.Shutdown, 2*time.Second)
	l.Crash = cmp.Or(l.Crash, 100*time.Millisecond)
	l.Drain = cmp.Or(l.Drain, time.Second)
	l.BackoffMin = cmp.Or(l.BackoffMin, 200*time.Millisecond)
	l.BackoffMax = cmp.Or(l.BackoffMax, 30*time.Second)
	l.Crashes = cmp.Or(l.Crashes, 5)
	l.Window = cmp.Or(l.Window, 5*time.Minute)
	l.LogLine = cmp.Or(l.LogLine, 8192)
	l.LogRate = cmp.Or(l.LogRate, 200)
	l.LogTail = cmp.Or(l.LogTail, 20)
	return l
}
