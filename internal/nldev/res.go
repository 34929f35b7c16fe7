package nldev

import (
	"context"
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// Owner is who made a resource. It need not be who holds it today: a child may
// have inherited the descriptor.
type Owner struct {
	// PID is that of the process, in the PID namespace of the *task that asks*.
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

// resources dumps the resources of one kind that a device has, entry by entry.
func (c *Conn) resources(ctx context.Context, op, table uint16, index uint32, reset func(), each func(entry []byte) error) error {
	r := request{op: op, dump: true, object: object(index), attrs: byIndex(index)}
	return noDevice(c.ask(ctx, r, reset, func(payload []byte) error {
		return eachEntry(payload, table, each)
	}))
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
