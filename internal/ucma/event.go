package ucma

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// EventType is enum rdma_cm_event_type (include/rdma/rdma_cm.h).
type EventType uint32

const (
	EventAddrResolved    EventType = 0
	EventAddrError       EventType = 1
	EventRouteResolved   EventType = 2
	EventRouteError      EventType = 3
	EventConnectRequest  EventType = 4
	EventConnectResponse EventType = 5
	EventConnectError    EventType = 6
	EventUnreachable     EventType = 7
	EventRejected        EventType = 8
	EventEstablished     EventType = 9
	EventDisconnected    EventType = 10
	EventDeviceRemoval   EventType = 11
	EventAddrChange      EventType = 14
	EventTimewaitExit    EventType = 15
)

var eventNames = map[EventType]string{
	EventAddrResolved:    "ADDR_RESOLVED",
	EventAddrError:       "ADDR_ERROR",
	EventRouteResolved:   "ROUTE_RESOLVED",
	EventRouteError:      "ROUTE_ERROR",
	EventConnectRequest:  "CONNECT_REQUEST",
	EventConnectResponse: "CONNECT_RESPONSE",
	EventConnectError:    "CONNECT_ERROR",
	EventUnreachable:     "UNREACHABLE",
	EventRejected:        "REJECTED",
	EventEstablished:     "ESTABLISHED",
	EventDisconnected:    "DISCONNECTED",
	EventDeviceRemoval:   "DEVICE_REMOVAL",
	EventAddrChange:      "ADDR_CHANGE",
	EventTimewaitExit:    "TIMEWAIT_EXIT",
}

// String returns the kernel's name without its prefix, "ADDR_RESOLVED".
func (t EventType) String() string {
	if name, ok := eventNames[t]; ok {
		return name
	}
	return fmt.Sprintf("EVENT(%d)", uint32(t))
}

// Event is one entry of a channel's event queue (struct rdma_ucm_event_resp).
type Event struct {
	Type EventType
	// UID is that of the id it happened to; of a connection request, that of
	// the listener.
	UID uint64
	// ID is the kernel's number; of a connection request, that of the new id.
	ID uint32
	// Status is 0, a negative errno, or the reason of a rejection.
	Status int32
	// QPN is the peer's, in CONNECT_REQUEST and CONNECT_RESPONSE.
	QPN uint32
	// PrivateData is the whole field of the message, zero-padded: its length
	// says nothing of how much the peer put in.
	PrivateData []byte
}

// Err returns the errno that the event carries, or nil.
func (e Event) Err() error {
	if e.Status >= 0 {
		return nil
	}
	return unix.Errno(-e.Status)
}

// Reason returns why the peer rejected; it is meaningful in REJECTED on
// InfiniBand and RoCE. On iWARP Status is an errno.
func (e Event) Reason() RejectReason { return RejectReason(e.Status) }

// Offsets within struct rdma_ucm_event_resp.
const (
	eventParamAt     = 20
	eventDataAt      = eventParamAt + 8
	eventDataLenAt   = eventParamAt + 264
	eventMinimumSize = 324
)

// parseEvent decodes the answer to GET_EVENT. The parameters are those of a
// connected id; this package makes no others.
func parseEvent(b []byte) (Event, error) {
	if len(b) < eventMinimumSize {
		return Event{}, fmt.Errorf("event of %d octets, want %d", len(b), eventMinimumSize)
	}
	e := Event{
		UID:    native.Uint64(b),
		ID:     native.Uint32(b[8:]),
		Type:   EventType(native.Uint32(b[12:])),
		Status: int32(native.Uint32(b[16:])),
		QPN:    native.Uint32(b[eventParamAt:]),
	}
	if n := int(b[eventDataLenAt]); n > 0 {
		e.PrivateData = append([]byte(nil), b[eventDataAt:eventDataAt+n]...)
	}
	return e, nil
}
