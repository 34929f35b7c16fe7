package nldev

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// ObjectKind is a kind of verbs object that the kernel tracks
// (drivers/infiniband/core/restrack.c).
type ObjectKind string

// The kinds that [Conn.Objects] lists. QPs and CM ids, of which there is more to
// tell, have methods of their own.
const (
	Contexts ObjectKind = "ctx"
	PDs      ObjectKind = "pd"
	CQs      ObjectKind = "cq"
	MRs      ObjectKind = "mr"
	SRQs     ObjectKind = "srq"
)

// objectDump says how a kind of objects is asked for.
type objectDump struct {
	op, table, number uint16
	since             string // the first Linux that has it, where that is after restrack itself
}

var objectDumps = map[ObjectKind]objectDump{
	Contexts: {op: cmdResCtxGet, table: attrResCtx, number: attrResCtxN, since: "5.13"},
	PDs:      {op: cmdResPDGet, table: attrResPD, number: attrResPDN},
	CQs:      {op: cmdResCQGet, table: attrResCQ, number: attrResCQN},
	MRs:      {op: cmdResMRGet, table: attrResMR, number: attrResMRN},
	SRQs:     {op: cmdResSRQGet, table: attrResSRQ, number: attrResSRQN, since: "5.13"},
}

// Object is one object of a device, as far as its kind does not matter.
type Object struct {
	// Number is unique among the device's objects of that kind.
	Number rdma.Opt[uint32]
	// Context is the number of the user context that it belongs to, where the
	// kernel says so. A context has its own in Number.
	Context rdma.Opt[uint32]
	Owner   Owner
}

// Objects lists a device's objects of one kind. It needs no privilege. Where the
// kernel does not list that kind, it returns an [UnsupportedError].
func (c *Conn) Objects(ctx context.Context, kind ObjectKind, index uint32) ([]Object, error) {
	how := objectDumps[kind]
	all, err := list(ctx, c, table{how.op, how.table}, index, nil, func(entry []byte) (Object, error) {
		return decodeObject(entry, how.number)
	})
	if how.since != "" && errors.Is(err, unix.EINVAL) && c.exists(ctx, index) {
		err = &UnsupportedError{Feature: "the list of objects " + string(kind), Since: how.since, Cause: unix.EINVAL}
	}
	return all, err
}

// exists tells an operation that the kernel lacks from a device that it lacks:
// it answers EINVAL to both.
func (c *Conn) exists(ctx context.Context, index uint32) bool {
	_, err := c.Device(ctx, index)
	return err == nil
}

func decodeObject(entry []byte, number uint16) (Object, error) {
	var o Object
	err := eachAttr(entry, func(a attr) error {
		switch a.typ {
		case number:
			return into(&o.Number, a, attr.u32)
		case attrResCtxN:
			return into(&o.Context, a, attr.u32)
		}
		return o.Owner.set(a)
	})
	if err != nil {
		return Object{}, err
	}
	return o, nil
}
