package nldev

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"

	"github.com/ibctl/ibctl/core/rdma"
)

// Owner is who made a resource. It need not be who holds it today: a child may
// have inherited the descriptor.
type Owner struct {
	// PID is that of the thread, in the PID namespace of the *task that asks*.
	// Unknown for the kernel's own resources and for those of a process outside
	// that namespace.
	PID rdma.Opt[uint32]
	// Kernel is the module that made it; empty for a process's.
	Kernel string
}

func (o *Owner) set(a attr) error {
	switch a.typ {
	case attrResPID:
		return into(&o.PID, a, attr.u32)
	case attrResKernName:
		return intoText(&o.Kernel, a)
	}
	return nil
}

// ResourceOption changes what a list of resources has.
type ResourceOption func(*request)

// DriverObjects adds the objects that a driver makes for its own use
// (RDMA_NLDEV_ATTR_DRIVER_DETAILS, Linux 6.11). Older kernels do without, and say
// nothing.
func DriverObjects(r *request) {
	r.attrs = append(r.attrs, nl.NewRtAttr(attrDriverDetails, nl.Uint8Attr(1)))
}

// table says how a kind of resource is asked for.
type table struct{ op, attr uint16 }

// list dumps the resources of one kind that a device has. What could be decoded
// is returned beside an error about what could not. A list that takes several
// messages goes by position (res_get_common_dumpit in
// drivers/infiniband/core/nldev.c): it may lack an object where another was
// destroyed meanwhile.
func list[T any](ctx context.Context, c *Conn, t table, index uint32, opts []ResourceOption, decode func(entry []byte) (T, error)) ([]T, error) {
	r := request{op: t.op, dump: true, object: object(index), attrs: byIndex(index)}
	for _, o := range opts {
		o(&r)
	}
	var all []T
	err := c.ask(ctx, r,
		func() { all = nil },
		func(payload []byte) error {
			return eachEntry(payload, t.attr, func(entry []byte) error {
				v, err := decode(entry)
				if err == nil {
					all = append(all, v)
				}
				return err
			})
		})
	return all, noDevice(err)
}

// eachEntry calls f with the attributes of every entry in the table of an
// answer. The attribute of an entry is the one that follows its table's. An
// entry that makes no sense does not hide the others.
func eachEntry(payload []byte, table uint16, f func(entry []byte) error) error {
	var bad error
	err := eachAttr(payload, func(a attr) error {
		if a.typ != table {
			return nil
		}
		return eachAttr(a.data, func(entry attr) error {
			if entry.typ != table+1 {
				return fmt.Errorf("%w: attribute %d in table %d", ErrMalformed, entry.typ, table)
			}
			bad = errors.Join(bad, f(entry.data))
			return nil
		})
	})
	return errors.Join(err, bad)
}

// setter is a resource that takes its attributes one by one.
type setter[T any] interface {
	*T
	set(attr) error
}

// decode reads an entry that may lack any of its attributes.
func decode[T any, P setter[T]](entry []byte) (T, error) {
	var v T
	if err := eachAttr(entry, P(&v).set); err != nil {
		var none T
		return none, err
	}
	return v, nil
}
