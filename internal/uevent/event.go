package uevent

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Action is what happened to a device (enum kobject_action).
type Action string

// The actions that RDMA devices know. A kernel may name others.
const (
	Add    Action = "add"
	Remove Action = "remove"
	Change Action = "change"
	Move   Action = "move" // renamed
	Bind   Action = "bind"
	Unbind Action = "unbind"
)

// Event is one event of the kernel.
type Event struct {
	Action Action
	// DevPath is the device's path below /sys, with a slash before it.
	DevPath   string
	Subsystem string // "infiniband"; empty where there is none
	// Seq numbers the events of all namespaces from 1; 0 if the kernel did not say.
	Seq uint64
	// Properties holds all variables, those above too.
	Properties map[string]string
}

// Name is the last part of DevPath: "rxe0".
func (e Event) Name() string { return e.DevPath[strings.LastIndexByte(e.DevPath, '/')+1:] }

// ErrMalformed marks a message that is not one of the kernel's events.
var ErrMalformed = errors.New("malformed uevent")

// decode reads "add@/devices/…" and the variables after it, each of which ends
// in a NUL.
func decode(message []byte) (Event, error) {
	text, complete := bytes.CutSuffix(message, []byte{0})
	if !complete {
		return Event{}, fmt.Errorf("%w: cut off", ErrMalformed)
	}
	header, variables, _ := strings.Cut(string(text), "\x00")
	action, path, found := strings.Cut(header, "@")
	if !found || action == "" || !strings.HasPrefix(path, "/") {
		return Event{}, fmt.Errorf("%w: header %q", ErrMalformed, header)
	}
	e := Event{Action: Action(action), DevPath: path, Properties: map[string]string{}}
	for variable := range strings.SplitSeq(variables, "\x00") {
		key, value, found := strings.Cut(variable, "=")
		if !found || key == "" {
			return Event{}, fmt.Errorf("%w: variable %q", ErrMalformed, variable)
		}
		e.Properties[key] = value
	}
	return e, e.fill()
}

// fill takes the fields from the variables, which must not contradict the header.
func (e *Event) fill() error {
	if e.Properties["ACTION"] != string(e.Action) || e.Properties["DEVPATH"] != e.DevPath {
		return fmt.Errorf("%w: %s@%s with ACTION=%s DEVPATH=%s", ErrMalformed, e.Action, e.DevPath, e.Properties["ACTION"], e.Properties["DEVPATH"])
	}
	e.Subsystem = e.Properties["SUBSYSTEM"]
	seq, ok := e.Properties["SEQNUM"]
	if !ok {
		return nil
	}
	var err error
	if e.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return fmt.Errorf("%w: SEQNUM=%s", ErrMalformed, seq)
	}
	return nil
}
