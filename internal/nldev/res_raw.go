package nldev

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// QPs is the kind of queue pairs; [Conn.QPs] lists them, and [Conn.Raw] knows them
// by this name too.
const QPs ObjectKind = "qp"

// ErrNoRaw says that a driver has no record of its own to show of an object, or a
// kernel no way to ask for it.
var ErrNoRaw = errors.New("the driver shows no raw record")

// ErrNoObject says that a device has no object of a number.
var ErrNoObject = errors.New("no such object")

// rawGets say how the driver's record of an object is asked for, and by which
// number.
var rawGets = map[ObjectKind]struct{ op, number uint16 }{
	QPs:  {cmdResQPGetRaw, attrResLQPN},
	CQs:  {cmdResCQGetRaw, attrResCQN},
	MRs:  {cmdResMRGetRaw, attrResMRN},
	SRQs: {cmdResSRQGetRaw, attrResSRQN},
}

// HasRaw tells whether there is a question for the raw records of a kind.
func HasRaw(kind ObjectKind) bool { return rawGets[kind].op != 0 }

// Raw reads what the hardware has of one object, as the driver hands it out
// (RES_QP_GET_RAW and its like, Linux 5.9; shared receive queues 6.7): a record
// whose layout is the vendor's. It needs CAP_NET_ADMIN. A driver without is
// [ErrNoRaw], a number that no object has [ErrNoObject]; that is also the answer
// for queue pairs of management datagrams, which cannot be asked for by number.
//
// A queue pair is asked for with its port, which is 1 where it has none yet.
//
// The kernel can dump the records of all objects as well, but tells them apart by
// nothing then.
func (c *Conn) Raw(ctx context.Context, kind ObjectKind, index, number uint32, port rdma.Opt[uint32]) ([]byte, error) {
	how := rawGets[kind]
	name := fmt.Sprintf("%s/%s/%d", object(index), kind, number)
	if how.op == 0 {
		return nil, fmt.Errorf("%s: %w", name, ErrNoRaw)
	}
	r := request{op: how.op, object: name, attrs: append(byIndex(index), nl.NewRtAttr(int(how.number), nl.Uint32Attr(number)))}
	if kind == QPs {
		r.attrs = append(r.attrs, nl.NewRtAttr(attrPortIndex, nl.Uint32Attr(port.Or(1))))
	}
	var raw []byte
	err := c.ask(ctx, r, func() { raw = nil }, func(payload []byte) (err error) {
		raw, err = decodeRaw(payload)
		return err
	})
	return raw, c.noRaw(ctx, index, err)
}

func decodeRaw(payload []byte) (raw []byte, err error) {
	err = eachAttr(payload, func(a attr) error {
		if a.typ == attrResRaw {
			raw = append([]byte{}, a.data...)
		}
		return nil
	})
	if err == nil && raw == nil {
		err = fmt.Errorf("%w: no raw record", ErrMalformed)
	}
	return raw, err
}

// noRaw says what an errno means: EINVAL stands for a driver, a kernel and a device
// index alike.
func (c *Conn) noRaw(ctx context.Context, index uint32, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: %w", ErrNoObject, err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL) && c.exists(ctx, index):
		return fmt.Errorf("%w: %w", ErrNoRaw, err)
	}
	return noDevice(err)
}
