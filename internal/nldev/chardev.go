package nldev

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink/nl"

	"github.com/ibctl/ibctl/core/rdma"
)

// CharDev is a character device of a kernel client.
type CharDev struct {
	Name string // below /dev/infiniband: "uverbs0"
	ABI  rdma.Opt[uint64]
	// Dev is the 64-bit dev_t as unix.Major and unix.Minor take it.
	Dev rdma.Opt[uint64]
	// DriverID is enum rdma_driver_id (include/uapi/rdma/ib_user_ioctl_verbs.h); uverbs tells it.
	DriverID rdma.Opt[uint32]
}

// CharDev asks a kernel client, such as "uverbs", "umad" or "rdma_cm", for its
// character device (GET_CHARDEV, Linux 5.3). index and port select the RDMA
// device where the client has one for each; leave them unknown where not.
//
// The kernel loads the client's module if it is not there, which is more than a
// listing should do: read sysfs for that. ENOENT means that there is no such
// client, EINVAL an older kernel or a device that does not exist.
func (c *Conn) CharDev(ctx context.Context, client string, index, port rdma.Opt[uint32]) (CharDev, error) {
	r := request{op: cmdGetCharDev, object: client}
	r.attrs = append(r.attrs, nl.NewRtAttr(attrCharDevType, nl.ZeroTerminated(client)))
	if i, ok := index.Get(); ok {
		r.attrs = append(r.attrs, byIndex(i)...)
	}
	if p, ok := port.Get(); ok {
		r.attrs = append(r.attrs, nl.NewRtAttr(attrPortIndex, nl.Uint32Attr(p)))
	}
	var d CharDev
	err := c.ask(ctx, r,
		func() { d = CharDev{} },
		func(payload []byte) (err error) {
			d, err = decodeCharDev(payload)
			return err
		})
	return d, err
}

func decodeCharDev(payload []byte) (CharDev, error) {
	var d CharDev
	if err := eachAttr(payload, d.set); err != nil {
		return CharDev{}, err
	}
	if d.Name == "" {
		return CharDev{}, fmt.Errorf("%w: character device without name", ErrMalformed)
	}
	return d, nil
}

func (d *CharDev) set(a attr) error {
	switch a.typ {
	case attrCharDevName:
		return intoText(&d.Name, a)
	case attrCharDevABI:
		return into(&d.ABI, a, attr.u64)
	case attrCharDev:
		return into(&d.Dev, a, attr.u64)
	case attrUverbsDriverID:
		return into(&d.DriverID, a, attr.u32)
	}
	return nil
}
