package core

import (
	"fmt"
	"math"

	"github.com/ibctl/ibctl/core/rdma"
)

// NoIndex stands in an [ID] for an index the kernel did not give, as where
// there is no nldev. The kernel never uses it: its indices have 31 bits
// (drivers/infiniband/core/device.c, assign_name).
const NoIndex uint32 = math.MaxUint32

// ID names one incarnation of a device. The kernel reuses names at once and
// indices after a wrap, so neither is enough: Generation counts registrations
// in one Registry from 1 and is never reused.
type ID struct {
	// Index is the kernel's device index, or [NoIndex].
	Index uint32
	// Generation tells apart devices that had the same index or name.
	Generation uint64
}

// String returns "#3.17": index 3, generation 17; or "#?.17" without an index.
func (id ID) String() string {
	if id.Index == NoIndex {
		return fmt.Sprintf("#?.%d", id.Generation)
	}
	return fmt.Sprintf("#%d.%d", id.Index, id.Generation)
}

// Device is a registered device as its clients see it: a value, a picture taken
// when the registry handed it out. The slices in Info are shared by all who
// have the same picture and must not be modified.
type Device struct {
	ID   ID
	Info rdma.Device
}

// String returns "mlx5_0 (#3.17)".
func (d Device) String() string { return fmt.Sprintf("%s (%v)", d.Info.Name, d.ID) }
