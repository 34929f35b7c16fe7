package plugin

import (
	"fmt"
	"os"
)

// EnvChildless asks a plugin to give up, before anything else, the ability to
// start other processes. ibctl asks it of its own clients where it has no better
// means of seeing to it that a dead plugin has left nothing behind.
const EnvChildless = "IBCTL_PLUGIN_CHILDLESS"

// becomeChildless does as EnvChildless asks, and tells whether it is done.
func becomeChildless() bool {
	if os.Getenv(EnvChildless) == "" {
		return false
	}
	if err := forbidChildren(); err != nil {
		fmt.Fprintln(os.Stderr, "plugin: cannot become childless:", err)
		return false
	}
	return true
}
