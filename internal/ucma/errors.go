package ucma

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// What the errnos mean, for errors.Is. Each applies to the operations named; the
// errno itself is found as well.
var (
	// ErrUnavailable: there is no connection manager to talk to (open).
	ErrUnavailable = errors.New("the kernel's RDMA connection manager is not there (module rdma_ucm)")
	// ErrNoDevice: no RDMA device serves the address (bind, resolve).
	ErrNoDevice = errors.New("no RDMA device serves that address")
	// ErrNoRoute: there is no route, or its netdev is down (resolve).
	ErrNoRoute = errors.New("no route")
	// ErrNoNeighbour: ARP or neighbour discovery gave no answer in time (resolve).
	ErrNoNeighbour = errors.New("no answer from the neighbour")
	// ErrDeviceGone: the id's device is unregistered; Destroy alone works.
	ErrDeviceGone = errors.New("the RDMA device is gone")
)

// Error is a command that failed. It unwraps to the kernel's errno, and to one
// of the sentinels above where the errno of that operation has a meaning.
type Error struct {
	// Op is what was attempted, "resolve address".
	Op string
	// Object is what it was attempted on, an address or a path; may be empty.
	Object string
	Err    error
}

// Error implements error: "resolve address 10.1.1.2:0: no route (network is
// unreachable)".
func (e *Error) Error() string {
	what := e.Op
	if e.Object != "" {
		what += " " + e.Object
	}
	if m := e.meaning(); m != nil {
		return fmt.Sprintf("%s: %v (%v)", what, m, e.Err)
	}
	return fmt.Sprintf("%s: %v", what, e.Err)
}

// Unwrap returns the errno and its meaning.
func (e *Error) Unwrap() []error {
	if m := e.meaning(); m != nil {
		return []error{m, e.Err}
	}
	return []error{e.Err}
}

// The operations of [Error.Op].
const (
	opOpen         = "open"
	opCreate       = "create id"
	opDestroy      = "destroy id"
	opBind         = "bind to"
	opResolveAddr  = "resolve address"
	opResolveRoute = "resolve route to"
	opQueryRoute   = "query route of"
	opConnect      = "connect to"
	opListen       = "listen on"
	opReject       = "reject request on"
	opSetTOS       = "set type of service of"
	opNextEvent    = "get event"
)

// meanings maps an errno of one operation to what it says there.
var meanings = map[string]map[unix.Errno]error{
	opOpen:         {unix.ENOENT: ErrUnavailable, unix.ENXIO: ErrUnavailable, unix.ENODEV: ErrUnavailable},
	opBind:         {unix.ENODEV: ErrNoDevice},
	opResolveAddr:  {unix.ENODEV: ErrNoDevice, unix.ENETUNREACH: ErrNoRoute, unix.EHOSTUNREACH: ErrNoRoute, unix.ETIMEDOUT: ErrNoNeighbour},
	opResolveRoute: {unix.ENODEV: ErrNoDevice},
}

func (e *Error) meaning() error {
	var errno unix.Errno
	if !errors.As(e.Err, &errno) {
		return nil
	}
	if m, ok := meanings[e.Op][errno]; ok {
		return m
	}
	if errno == unix.ENXIO {
		return ErrDeviceGone
	}
	return nil
}
