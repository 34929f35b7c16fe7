package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/api/apiv1"
)

// ledger replays what a daemon told of itself from its start, and collects what cannot be: a client that was added to a device and not
// removed from it before that was unregistered, or removed twice; a name that two devices had at once; a process that nobody ended.
type ledger struct {
	broken  []string
	event   *apiv1.Event
	last    uint64
	devices map[registration]*entry
	clients map[string]bool   // on the registry's list
	pids    map[uint32]string // plugin processes that were started and not ended, and their clients
	all     map[uint32]bool   // plugin processes that there ever were
	// removes are the Removes that returned, and kills those among them that took one.
	removes, kills, registrations int
}

// registration is one device between its coming and going: indexes are reused, and this is not.
type registration struct {
	index      uint32
	generation uint64
}

type entry struct {
	leaving bool
	on      map[string]bool
}

func newLedger() *ledger {
	return &ledger{devices: map[registration]*entry{}, clients: map[string]bool{}, pids: map[uint32]string{}, all: map[uint32]bool{}}
}

// replay returns the ledger of a history.
func replay(events []*apiv1.Event) *ledger {
	l := newLedger()
	for _, e := range events {
		l.event = e
		l.want(e.GetSeq() == l.last+1, "it follows %d", l.last)
		l.last = e.GetSeq()
		l.apply(e)
	}
	return l
}

func (l *ledger) want(ok bool, format string, args ...any) {
	if !ok {
		e := l.event
		l.broken = append(l.broken, fmt.Sprintf("event %d, %s %s %s: ", e.GetSeq(), e.GetKind(), e.GetDevice(), e.GetClient())+fmt.Sprintf(format, args...))
	}
}

func (l *ledger) apply(e *apiv1.Event) {
	switch kind := e.GetKind(); {
	case kind == "events-missed":
		l.want(false, "%s", e.GetText())
	case strings.HasPrefix(kind, "plugin-"):
		l.applyPlugin(e)
	case kind == "client-arrived", kind == "client-leaving", kind == "client-registered", kind == "client-unregistered":
		l.applyClient(e)
	case strings.HasPrefix(kind, "device-"), kind == "client-added", kind == "client-removed":
		l.applyDevice(e)
	}
}

func (l *ledger) applyPlugin(e *apiv1.Event) {
	switch pid := e.GetPid(); e.GetKind() {
	case "plugin-started":
		l.want(pid != 0 && l.pids[pid] == "", "process %d runs", pid)
		l.pids[pid], l.all[pid] = e.GetClient(), true
	default:
		if pid != 0 { // it ran
			l.want(l.pids[pid] == e.GetClient(), "process %d belongs to client %q", pid, l.pids[pid])
			delete(l.pids, pid)
		}
	}
}

// applyClient: a client is off all devices before it is off the list.
func (l *ledger) applyClient(e *apiv1.Event) {
	name := e.GetClient()
	switch e.GetKind() {
	case "client-arrived":
		l.want(!l.clients[name], "it is there already")
		l.clients[name] = true
	case "client-unregistered":
		l.want(l.clients[name], "it is not there")
		delete(l.clients, name)
		for r, d := range l.devices {
			l.want(!d.on[name], "it is still on %v", r)
		}
	default:
		l.want(l.clients[name], "it is not there")
	}
}

func (l *ledger) applyDevice(e *apiv1.Event) {
	r := registration{e.GetIndex(), e.GetGeneration()}
	if e.GetKind() == "device-arrived" {
		for other := range l.devices {
			l.want(other.index != r.index, "its index belongs to %v", other)
		}
		l.devices[r] = &entry{on: map[string]bool{}}
		l.registrations++
		return
	}
	d := l.devices[r]
	if l.want(d != nil, "no such device: %v", r); d == nil {
		return
	}
	switch e.GetKind() {
	case "device-leaving":
		l.want(!d.leaving, "twice")
		d.leaving = true
	case "device-unregistered":
		l.want(d.leaving, "it was not leaving")
		l.want(len(d.on) == 0, "clients are on it: %v", d.on)
		delete(l.devices, r)
	case "client-added":
		l.applyAdded(e, d)
	case "client-removed":
		l.want(d.on[e.GetClient()], "it is not on the device")
		delete(d.on, e.GetClient())
		l.removes++
		if e.GetError() != "" {
			l.kills++
		}
	}
}

func (l *ledger) applyAdded(e *apiv1.Event, d *entry) {
	l.want(l.clients[e.GetClient()], "it is not there")
	l.want(!d.on[e.GetClient()], "it is on the device already")
	if e.GetError() == "" {
		d.on[e.GetClient()] = true
	}
}

// TestDaemonLedger: each wrong history is found out, and the right one is none.
func TestDaemonLedger(t *testing.T) {
	const (
		arrived = "client-arrived - roce; device-arrived 1/1 -; "
		added   = arrived + "client-added 1/1 roce; "
	)
	for history, want := range map[string]string{
		added + "device-leaving 1/1 -; client-removed 1/1 roce; device-unregistered 1/1 -; device-arrived 1/2 -": "",
		added + "device-leaving 1/1 -; device-unregistered 1/1 -":                                                "clients are on it",
		added + "device-leaving 1/1 -; client-removed 1/1 roce; client-removed 1/1 roce":                         "it is not on the device",
		added + "client-removed 1/2 roce":                                                                        "no such device",
		added + "client-leaving - roce; client-unregistered - roce":                                              "it is still on",
		added + "client-added 1/1 roce":                                                                          "it is on the device already",
		added + "client-added 1/1 cm":                                                                            "it is not there",
		added + "device-arrived 1/2 -":                                                                           "its index belongs to",
		arrived + "device-unregistered 1/1 -":                                                                    "it was not leaving",
		arrived + "events-missed - -":                                                                            "events-missed",
		arrived + "client-arrived - roce":                                                                        "it is there already",
	} {
		l := replay(storyOf(history))
		if got := strings.Join(l.broken, "\n"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s\nfound: %q, want %q", history, got, want)
		}
	}
}

// storyOf makes events of "KIND INDEX/GENERATION CLIENT; ...".
func storyOf(text string) (events []*apiv1.Event) {
	for i, part := range strings.Split(strings.TrimSuffix(text, "; "), "; ") {
		e := &apiv1.Event{Seq: uint64(i + 1)}
		var device string
		fmt.Sscan(part, &e.Kind, &device, &e.Client)
		var index uint32
		if _, err := fmt.Sscanf(device, "%d/%d", &index, &e.Generation); err == nil {
			e.Index = &index
		}
		if e.Client == "-" {
			e.Client = ""
		}
		events = append(events, e)
	}
	return events
}
