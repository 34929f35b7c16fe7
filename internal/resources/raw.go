package resources

import (
	"context"
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
)

// ErrNoRaw says that a driver, or this kernel, has no raw records to show.
var ErrNoRaw = nldev.ErrNoRaw

// RawKinds are those of which drivers may show raw records.
func RawKinds() []Kind { return []Kind{QP, CQ, MR, SRQ} }

// RawKey is the attribute with the raw record of an object.
const RawKey = "raw"

// AddRaw adds to objects of one kind and device the records that their driver has
// of them, in the vendor's layout. It needs CAP_NET_ADMIN. An object that is gone
// meanwhile, or that the kernel does not find by its number, has none;
// [ErrNoRaw] means that none has.
func (r *Reader) AddRaw(ctx context.Context, d rdma.Device, all []Object) error {
	index, ok := d.Index.Get()
	if !ok {
		return fmt.Errorf("%s: its index is unknown: %w", d.Name, ErrUnavailable)
	}
	for i, o := range all {
		number, ok := o.Uint(o.Kind.Number())
		if !ok {
			continue
		}
		raw, err := r.nl.Raw(ctx, nldev.ObjectKind(o.Kind), index, uint32(number), portOf(o))
		switch {
		case errors.Is(err, nldev.ErrNoObject):
		case err != nil:
			return fmt.Errorf("%s: %w", o.Name(), err)
		default:
			all[i].Attrs = append(o.Attrs, Attr{Key: RawKey, Value: Octets(raw)})
		}
	}
	return nil
}

func portOf(o Object) rdma.Opt[uint32] {
	port, ok := o.Uint("port")
	if !ok {
		return rdma.Opt[uint32]{}
	}
	return rdma.Known(uint32(port))
}

// Octets is a value of hardware's: two hexadecimal digits each, in the order of
// memory.
type Octets []byte

// String returns the digits.
func (o Octets) String() string { return fmt.Sprintf("%x", []byte(o)) }

// MarshalText implements encoding.TextMarshaler.
func (o Octets) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
