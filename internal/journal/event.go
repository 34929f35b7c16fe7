package journal

import (
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// Kinds of events that do not come from a registry; those that do have the
// registry's own names, see [core.EventKind].
const (
	// DaemonStarted and DaemonStopping are the first and one of the last events.
	DaemonStarted  = "daemon-started"
	DaemonStopping = "daemon-stopping"
	// PluginStarted: Client runs as process PID.
	PluginStarted = "plugin-started"
	// PluginFailed: the process ended by itself or did not start, for the reason
	// in Error, and will be started again.
	PluginFailed = "plugin-failed"
	// PluginGivenUp: the same, and it will not be started again; Text is the
	// state.
	PluginGivenUp = "plugin-given-up"
	// PluginStopped: the process was told to end, and has.
	PluginStopped = "plugin-stopped"
	// ClientReported: a client reported something of a device: Report is its word
	// for it.
	ClientReported = "client-reported"
	// HostUnreadable: the devices could not be read, for the reason in Error.
	HostUnreadable = "host-unreadable"
	// EventsMissed: Text says how many of the registry's events were lost.
	EventsMissed = "events-missed"
)

// Event is one thing that happened. Fields that its kind does not speak of are
// absent.
type Event struct {
	// Seq counts the events of a journal from 1, without gaps.
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	Kind string    `json:"kind"`

	Device     string           `json:"device,omitzero"`
	Index      rdma.Opt[uint32] `json:"index,omitzero"`
	Generation uint64           `json:"generation,omitzero"`
	OldName    string           `json:"old_name,omitzero"`
	Client     string           `json:"client,omitzero"`
	PID        int              `json:"pid,omitzero"`

	// TookMS is how long it took, in milliseconds.
	TookMS rdma.Opt[float64] `json:"took_ms,omitzero"`
	// Changes are what may have changed, in the registry's words: "gids".
	Changes []string `json:"changes,omitempty"`
	// Differences are what did.
	Differences []Difference `json:"differences,omitempty"`
	// Holders are those who are waited for.
	Holders []string `json:"holders,omitempty"`

	// Report, Text and Attributes are a client's own words.
	Report     string            `json:"report,omitzero"`
	Text       string            `json:"text,omitzero"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Error      string            `json:"error,omitzero"`
}

// SetDevice says which device the event is about.
func (e *Event) SetDevice(id core.ID) {
	e.Generation = id.Generation
	if id != (core.ID{}) && id.Index != core.NoIndex {
		e.Index = rdma.Known(id.Index)
	}
}
