package core

import (
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// ID names one incarnation of a device. The kernel reuses names at once and
// indices after a wrap, so neither is enough: Generation counts registrations
// in one Registry from 1 and is never reused.
type ID struct {
	// Index is the kernel's device index.
	Index uint32
	// Generation tells apart devices that had the same index or name.
	Generation uint64
}

// String returns "#3.17": index 3, generation 17.
func (id ID) String() string { return fmt.Sprintf("#%d.%d", id.Index, id.Generation) }

// Device is a registered device as its clients see it: a value, a picture taken
// when the registry handed it out.
type Device struct {
	ID   ID
	Info rdma.Device
}
