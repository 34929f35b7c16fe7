package nldev

import (
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// EventType is enum rdma_nl_notify_event_type.
type EventType uint8

// The events of Linux 6.12, and with the last two those of 6.13.
const (
	EventRegister     EventType = 0
	EventUnregister   EventType = 1
	EventNetdevAttach EventType = 2
	EventNetdevDetach EventType = 3
	EventRename       EventType = 4
	EventNetdevRename EventType = 5
)

// String returns the name iproute2 uses in `rdma monitor`: "REGISTER".
func (t EventType) String() string {
	names := [...]string{"REGISTER", "UNREGISTER", "NETDEV_ATTACH", "NETDEV_DETACH", "RENAME", "NETDEV_RENAME"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("UNKNOWN(%d)", uint8(t))
}

// Event is a message of the monitor group. It is a hint that something
// changed: ask to learn what is true. Where the netdev lies in another
// namespace than the device, NETDEV_ATTACH and NETDEV_RENAME hold nothing but
// the type.
type Event struct {
	Type        EventType
	Index       rdma.Opt[uint32]
	Name        string // of the device; after RENAME the new one
	Port        rdma.Opt[uint32]
	NetdevIndex rdma.Opt[uint32]
	Netdev      string
}

func decodeEvent(payload []byte) (Event, error) {
	var e eventMessage
	if err := eachAttr(payload, e.set); err != nil {
		return Event{}, err
	}
	typ, ok := e.typ.Get()
	if !ok {
		return Event{}, fmt.Errorf("%w: event without type", ErrMalformed)
	}
	e.Type = typ
	return e.Event, nil
}

// eventMessage is an event whose type has perhaps not been seen yet.
type eventMessage struct {
	Event
	typ rdma.Opt[EventType]
}

func (e *eventMessage) set(a attr) error {
	switch a.typ {
	case attrEventType:
		return into(&e.typ, a, attr.eventType)
	case attrDevIndex:
		return into(&e.Index, a, attr.u32)
	case attrDevName:
		return intoText(&e.Name, a)
	case attrPortIndex:
		return into(&e.Port, a, attr.u32)
	case attrNetdevIndex:
		return into(&e.NetdevIndex, a, attr.u32)
	case attrNetdevName:
		return intoText(&e.Netdev, a)
	}
	return nil
}

func (a attr) eventType() (EventType, error) { v, err := a.u8(); return EventType(v), err }
