package core

import "time"

// EventKind says what happened.
type EventKind string

// A device's events come in this order: arrived, clients added, registered (left
// out if it was unregistered by then), leaving, clients removed, a wait for
// leases, unregistered. In between it may be drained and undrained any number of
// times: draining, clients removed, a wait for leases, drained; undrained,
// clients added. A client's come in the same order.
const (
	// DeviceArrived: the device is on the list; its clients are being added.
	DeviceArrived EventKind = "device-arrived"
	// DeviceRegistered: every client's Add has returned. Took counts from
	// arrival.
	DeviceRegistered EventKind = "device-registered"
	// DeviceRenamed: OldName became Name.
	DeviceRenamed EventKind = "device-renamed"
	// DeviceChanged: the registry was told of Change.
	DeviceChanged EventKind = "device-changed"
	// DeviceLeaving: the device is no longer registered; its clients are being
	// removed.
	DeviceLeaving EventKind = "device-leaving"
	// DeviceDraining: the device is out of service; its clients are being
	// removed.
	DeviceDraining EventKind = "device-draining"
	// DeviceDrained: no client and no lease is left. Took counts from the
	// draining; it is zero for a device that was registered like that.
	DeviceDrained EventKind = "device-drained"
	// DeviceUndrained: the device is in service again; its clients are being
	// added. Err is why it was not drained after all, if that is the reason.
	DeviceUndrained EventKind = "device-undrained"
	// LeaseWait: all clients are off the device, and Holders still lease it.
	LeaseWait EventKind = "lease-wait"
	// DeviceUnregistered: all clients and leases are off the device; its name
	// and index are free. Took counts from the leaving.
	DeviceUnregistered EventKind = "device-unregistered"

	// ClientArrived: the client is on the list, and being added to devices.
	ClientArrived EventKind = "client-arrived"
	// ClientRegistered: its Add has returned for every device. Took counts from
	// arrival.
	ClientRegistered EventKind = "client-registered"
	// ClientLeaving: the client is no longer registered, and being removed.
	ClientLeaving EventKind = "client-leaving"
	// ClientUnregistered: the client is off all devices. Took counts from the
	// leaving.
	ClientUnregistered EventKind = "client-unregistered"

	// ClientAdded: Client's Add for Device returned Err after Took.
	ClientAdded EventKind = "client-added"
	// ClientRemoved: Client's Remove for Device returned Err after Took.
	ClientRemoved EventKind = "client-removed"
	// ClientTold: Client's Changed for Device and Change returned Err after
	// Took.
	ClientTold EventKind = "client-told"
)

// Event is one thing that the registry saw or did. Fields that its kind does not
// speak of are zero.
type Event struct {
	// Seq counts the events of a registry from 1, without gaps.
	Seq  uint64
	Time time.Time
	Kind EventKind

	Device  ID
	Name    string // the device's; of a client's call, the one it was called with
	OldName string
	Client  string
	Change  Change
	// Took is how long it took.
	Took time.Duration
	// Holders are the names of those who lease the device, sorted.
	Holders []string
	// Err is what the client returned.
	Err error
}
