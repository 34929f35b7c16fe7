package core

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/ibctl/ibctl/core/rdma"
)

// op names what a record is about: a call of the registry, or one by it.
type op string

const (
	opRegisterDevice   op = "register-device"
	opUnregisterDevice op = "unregister-device"
	opRegisterClient   op = "register-client"
	opUnregisterClient op = "unregister-client"
	opRename           op = "rename"
	opNotify           op = "notify"
	opLookup           op = "lookup"
	opDevices          op = "devices"
	opData             op = "data"
	opAcquire          op = "acquire"
	opRelease          op = "release"

	opAdd     op = "add"
	opRemove  op = "remove"
	opChanged op = "changed"
)

func (o op) callback() bool { return o == opAdd || o == opRemove || o == opChanged }

// record is the beginning or the end of a call.
type record struct {
	call   int // the same for beginning and end
	end    bool
	op     op
	client string // one registration of a client: "roce/2"
	id     ID     // of opRegisterDevice known at the end only
	ids    []ID   // what opDevices saw
	name   string
	what   Change
	err    error
}

func (r record) String() string {
	s := string(r.op)
	if r.client != "" {
		s += " " + r.client
	}
	if r.id != (ID{}) {
		s += " " + r.id.String()
	}
	if r.name != "" {
		s += " " + r.name
	}
	switch {
	case !r.end:
		return s + " {"
	case r.err != nil:
		return fmt.Sprintf("} %s: %v", s, r.err)
	}
	return "} " + s
}

// history is what happened, in an order that agrees with what each goroutine
// saw: a beginning is recorded before the call, an end after it.
type history struct {
	mu      sync.Mutex
	calls   int
	records []record
}

// begin records a beginning; the function it returns records the end.
func (h *history) begin(r record) (end func(func(*record))) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	r.call = h.calls
	h.records = append(h.records, r)
	return func(result func(*record)) {
		r.end = true
		result(&r)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.records = append(h.records, r)
	}
}

func (h *history) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	for i, r := range h.records {
		fmt.Fprintf(&b, "%4d %v\n", i, r)
	}
	return b.String()
}

// callbacks returns the callbacks in order, as "add roce/1 #0.1 {".
func (h *history) callbacks() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, r := range h.records {
		if r.op.callback() {
			list = append(list, strings.TrimSuffix(r.String(), ": "+fmt.Sprint(r.err)))
		}
	}
	return list
}

// never is the end of a call that has not returned.
const never = math.MaxInt

// call is a call as the checker sees it, with the places of its beginning and
// end in the history.
type call struct {
	record
	begin, over int
}

func (c *call) ok() bool { return c.over != never && c.err == nil }

func (c *call) String() string {
	return fmt.Sprintf("%s %s %v [%d,%d]", c.op, c.client, c.id, c.begin, c.over)
}

// parse pairs beginnings and ends, in the order of the beginnings.
func parse(records []record) []*call {
	var calls []*call
	open := map[int]*call{}
	for i, r := range records {
		if !r.end {
			c := &call{record: r, begin: i, over: never}
			open[r.call] = c
			calls = append(calls, c)
			continue
		}
		if c := open[r.call]; c != nil {
			c.record, c.over = r, i
		}
	}
	return calls
}

// witness is a registry all of whose calls are recorded.
type witness struct {
	*Registry
	h *history
}

func newWitness(r *Registry) *witness { return &witness{r, &history{}} }

func (w *witness) RegisterDevice(ctx context.Context, info rdma.Device) (ID, error) {
	end := w.h.begin(record{op: opRegisterDevice, name: info.Name})
	id, err := w.Registry.RegisterDevice(ctx, info)
	end(func(r *record) { r.id, r.err = id, err })
	return id, err
}

func (w *witness) UnregisterDevice(ctx context.Context, id ID) error {
	end := w.h.begin(record{op: opUnregisterDevice, id: id})
	err := w.Registry.UnregisterDevice(ctx, id)
	end(func(r *record) { r.err = err })
	return err
}

func (w *witness) RegisterClient(ctx context.Context, a *actor) error {
	end := w.h.begin(record{op: opRegisterClient, client: a.label})
	err := w.Registry.RegisterClient(ctx, a.asClient())
	end(func(r *record) { r.err = err })
	return err
}

// UnregisterClient does what the registry's does in two steps, since names come
// again: between the two it is known, and recorded, which client it is about.
func (w *witness) UnregisterClient(ctx context.Context, name string) error {
	c, err := w.expelled(ctx, name)
	if err != nil {
		return err
	}
	end := w.h.begin(record{op: opUnregisterClient, client: labelOf(c.impl)})
	err = w.retireClient(ctx, c)
	end(func(r *record) { r.err = err })
	return err
}

func (w *witness) Rename(ctx context.Context, id ID, name string) error {
	end := w.h.begin(record{op: opRename, id: id, name: name, what: ChangeName})
	err := w.Registry.Rename(ctx, id, name)
	end(func(r *record) { r.err = err })
	return err
}

func (w *witness) Notify(ctx context.Context, id ID, what Change) error {
	end := w.h.begin(record{op: opNotify, id: id, what: what})
	err := w.Registry.Notify(ctx, id, what)
	end(func(r *record) { r.err = err })
	return err
}

func (w *witness) LookupName(name string) (Device, error) {
	end := w.h.begin(record{op: opLookup, name: name})
	dev, err := w.Registry.LookupName(name)
	end(func(r *record) { r.id, r.err = dev.ID, err })
	return dev, err
}

func (w *witness) Devices() []Device {
	end := w.h.begin(record{op: opDevices})
	list := w.Registry.Devices()
	end(func(r *record) {
		for _, dev := range list {
			r.ids = append(r.ids, dev.ID)
		}
	})
	return list
}

// Data records whose data it is: the actor's that made it.
func (w *witness) Data(client string, id ID) (any, error) {
	end := w.h.begin(record{op: opData, id: id, name: client})
	data, err := w.Registry.Data(client, id)
	end(func(r *record) {
		if h, ok := data.(*handle); ok {
			r.client = h.label
		}
		r.err = err
	})
	return data, err
}

func (w *witness) Acquire(id ID, holder string) (*Lease, error) {
	end := w.h.begin(record{op: opAcquire, id: id, name: holder})
	lease, err := w.Registry.Acquire(id, holder)
	end(func(r *record) { r.err = err })
	return lease, err
}

func (w *witness) Release(l *Lease) {
	end := w.h.begin(record{op: opRelease, id: l.Device().ID, name: l.holder})
	l.Release()
	end(func(*record) {})
}
