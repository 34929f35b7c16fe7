package plugintest

import (
	"testing"
)

// Run holds a plugin against every rule, each in a subtest of its own, and returns
// when all are through. At the end of each, none of the plugin's processes is left.
func Run(t *testing.T, p Plugin) {
	t.Helper()
	p = p.withDefaults(t.Name())
	beDoomed(t, p)
	for _, r := range rules {
		passed := t.Run(r.name, func(t *testing.T) {
			for _, failure := range r.examine(t, p) {
				t.Errorf("%s\nThe rule: %s", failure, r.text)
			}
		})
		if !passed && r.gate {
			t.Fatalf("nothing else was tried: %s", r.text)
		}
	}
}

// rule is one sentence of the contract, and how it is tried out.
type rule struct {
	name string
	text string
	gate bool // nothing else can be tried without it
	try  func(*trial)
}

// rules are all of them, in the order in which they are tried.
var rules = []rule{
	{"handshake", "the first line on standard output is go-plugin's handshake, for a socket in the directory that the plugin is given", true, tryHandshake},
	{"starts", "the plugin answers to its name and accepts its configuration", true, tryStart},
	{"takes-devices", "the plugin adds and removes every device it is given", true, tryDevices},

	{"silent-stdout", "nothing but the handshake is written to descriptor 1", false, trySilence},
	{"not-for-people", "a process that was not started by ibctl says so and exits with a status other than 0", false, tryPerson},
	{"lifeline", "the process exits when its standard input ends", false, tryLifeline},
	{"version", "the plugin speaks the version of the contract that it knows, whatever it is asked for", false, tryVersion},

	{"repeated-add", "Add of a device that is attached is OK", false, tryRepeatedAdd},
	{"repeated-remove", "Remove of a device that is removed is OK", false, tryRepeatedRemove},
	{"unknown-remove", "Remove of a device that was never heard of is OK, and does not keep it from being added", false, tryUnknownRemove},
	{"back-in-service", "Add of a device that was removed begins anew, unless its index has passed on to another", false, tryAddAgain},
	{"stale-generation", "Add of a generation older than one its index has had fails with FAILED_PRECONDITION", false, tryStaleAdd},
	{"other-epoch", "Add of an id of another epoch fails with FAILED_PRECONDITION", false, tryOtherEpoch},
	{"overtaking-remove", "a Remove that follows an Add at once is answered after it", false, tryOvertaking},
	{"change", "every Change of an attached device is answered, with bits that the plugin does not know too", false, tryChange},
	{"independent-devices", "no device waits for another", false, tryIndependence},

	{"failing-host", "Remove lets go of the device, though ibctl fails to answer the plugin's questions", false, tryFailingHost},
	{"slow-host", "Remove lets go of the device, though ibctl takes too long to answer the plugin's questions", false, trySlowHost},
	{"last-call", "after Removed, ibctl is asked nothing in the device's name", false, tryLastCall},
	{"last-event", "after Removed, no event comes from the device", false, tryLastEvent},

	{"descriptors", "devices that came and went leave no descriptor open", false, tryDescriptors},
	{"goroutines", "devices that came and went leave no goroutine or thread behind", false, tryGoroutines},
	{"memory", "devices that came and went leave no memory behind", false, tryMemory},

	{"exit", "after Shutdown the process exits with status 0", false, tryExit},
	{"nothing-left", "a plugin that was stopped leaves no process behind", false, tryNothingLeft},
	{"killed", "a plugin that is killed in Add or Remove leaves no process behind", false, tryKilled},
	{"stopped", "a plugin that hangs in Add or Remove is killed at its deadline, and leaves no process behind", false, tryStopped},
	{"fresh-start", "after a crash the plugin takes every device anew", false, tryFreshStart},
	{"host-killed", "when ibctl is killed, the plugin and its processes are gone within a second", false, tryHostKilled},
}
