package supervisor

import (
	"time"

	"github.com/ibctl/ibctl/core"
)

// State is where a managed client stands.
type State string

// The states of a Manager. From Quarantined and Refused only a new Manager leads
// on.
const (
	StateStarting    State = "starting"
	StateRunning     State = "running"
	StateBackoff     State = "backoff"     // crashed, to be started again
	StateQuarantined State = "quarantined" // crashed too often
	StateRefused     State = "refused"     // the executable may not be run
	StateStopping    State = "stopping"
	StateStopped     State = "stopped"
)

// Status is a picture of a managed client, for ibctl client list.
type Status struct {
	Name      string
	State     State
	Since     time.Time // when the state was entered
	Version   string    // the plugin's own; empty while it does not run
	PID       int       // 0 while it does not run
	Guarantee Guarantee
	Restarts  int
	LastError string // of the latest failure; stays after a restart
	Devices   []core.ID
}
