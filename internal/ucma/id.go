package ucma

import (
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// ID is one end of a connection, a listener or a lookup. It ends with Destroy or
// with its channel; the kernel reuses its number at once, so no method may be
// called after that.
type ID struct {
	ch     *Channel
	uid    uint64
	number uint32
	// name is what errors call it: the address it is about.
	name string
}

// NewID makes an id for reliable connected service, in the network namespace of
// the calling thread.
func (c *Channel) NewID() (*ID, error) {
	uid := c.uids.Add(1)
	response, err := c.do(opCreate, "", encodeCreateID(uid, PortSpaceTCP))
	if err != nil {
		return nil, err
	}
	return &ID{ch: c, uid: uid, number: native.Uint32(response)}, nil
}

// Request returns the id that a CONNECT_REQUEST made. Its events carry no uid and
// so are never seen: Reject it or Destroy it.
func (c *Channel) Request(e Event) (*ID, error) {
	if e.Type != EventConnectRequest {
		return nil, fmt.Errorf("%v makes no id: %w", e.Type, unix.EINVAL)
	}
	return &ID{ch: c, number: e.ID, name: fmt.Sprintf("request %d", e.ID)}, nil
}

// UID returns the number that the id's events carry; 0 if it has none.
func (id *ID) UID() uint64 { return id.uid }

// Destroy ends the id and drops its unread events. A pending connect is
// withdrawn, an unanswered request rejected. It takes milliseconds, and works
// when the device is gone.
func (id *ID) Destroy() error {
	_, err := id.ch.do(opDestroy, id.name, encodeDestroyID(id.number))
	return err
}

// Bind gives the id a local address, and with it a device; the unspecified
// address binds to none. Port 0 lets the kernel choose, see [ID.Route].
func (id *ID) Bind(local Addr) error {
	id.name = nameOf(local)
	if err := checkAddr(local); err != nil {
		return &Error{Op: opBind, Object: id.name, Err: err}
	}
	_, err := id.ch.do(opBind, id.name, encodeBind(id.number, local))
	return err
}

// nameOf is what errors call an address: a port of 0 is none.
func nameOf(a Addr) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// ResolveAddr starts to look for the way to dst, from src if that is valid, and
// ends with ADDR_RESOLVED or ADDR_ERROR. After ADDR_ERROR with ETIMEDOUT it may
// be called again.
//
// If the neighbour is not known yet, the kernel looks for its answer only when
// the timeout (milliseconds on the wire) has run out: ask in short slices.
func (id *ID) ResolveAddr(src, dst Addr, timeout time.Duration) error {
	id.name = nameOf(dst)
	err := checkAddr(dst)
	if err == nil && src.Addr().IsValid() {
		err = checkAddr(src)
	}
	if err != nil {
		return &Error{Op: opResolveAddr, Object: id.name, Err: err}
	}
	_, err = id.ch.do(opResolveAddr, id.name, encodeResolveAddr(id.number, src, dst, milliseconds(timeout)))
	return err
}

// AddrError is the error that an ADDR_ERROR event to dst stands for.
func AddrError(dst netip.Addr, e Event) error {
	return &Error{Op: opResolveAddr, Object: dst.String(), Err: e.Err()}
}

// RouteError is the error that a ROUTE_ERROR event to dst stands for.
func RouteError(dst netip.Addr, e Event) error {
	return &Error{Op: opResolveRoute, Object: dst.String(), Err: e.Err()}
}

// ResolveRoute starts to look for the path, after ADDR_RESOLVED; it ends with
// ROUTE_RESOLVED or ROUTE_ERROR. On InfiniBand this asks the subnet
// administrator.
func (id *ID) ResolveRoute(timeout time.Duration) error {
	_, err := id.ch.do(opResolveRoute, id.name, encodeResolveRoute(id.number, milliseconds(timeout)))
	return err
}

// milliseconds rounds up: the kernel refuses a route timeout of 0, and takes an
// address timeout of 0 as one that is over.
func milliseconds(d time.Duration) uint32 {
	ms := (d + time.Millisecond - 1) / time.Millisecond
	return uint32(min(max(ms, 1), 1<<31-1))
}

// Route returns what is known so far of the id's addresses, device and path.
func (id *ID) Route() (Route, error) {
	response, err := id.ch.do(opQueryRoute, id.name, encodeQueryRoute(id.number))
	if err != nil {
		return Route{}, err
	}
	r, err := parseRoute(response)
	if err != nil {
		return Route{}, &Error{Op: opQueryRoute, Object: id.name, Err: err}
	}
	return r, nil
}

// SetTOS sets the type of service of the id's route, to be called before
// ResolveRoute. Without it the port's default_roce_tos holds; a TOS of 0 set
// here wins over that, too.
func (id *ID) SetTOS(tos uint8) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	_, err := id.ch.do(opSetTOS, id.name, encodeSetTOS(id.number, pinned(&pin, []byte{tos})))
	return err
}

// ConnectParams are the parameters of a connection request (struct
// rdma_conn_param).
type ConnectParams struct {
	// QPN is the local queue pair number as the remote will see it; 24 bits.
	QPN uint32
	// PrivateData goes to the listener; at most [MaxConnectData] octets.
	PrivateData        []byte
	ResponderResources uint8
	InitiatorDepth     uint8
	RetryCount         uint8
	RNRRetryCount      uint8
}

// Connect sends a connection request, once for each id. It ends with one of
// CONNECT_RESPONSE, REJECTED, UNREACHABLE, CONNECT_ERROR; the kernel goes on
// asking for more than a minute, so keep a deadline and Destroy the id.
//
// Not for iWARP: there the kernel takes QPN for a queue pair of the device,
// whoever it belongs to (iwcm.c, iw_cm_connect), and connects that.
func (id *ID) Connect(p ConnectParams) error {
	if len(p.PrivateData) > MaxConnectData {
		return &Error{Op: opConnect, Object: id.name, Err: fmt.Errorf("%d octets of private data: %w", len(p.PrivateData), unix.EINVAL)}
	}
	_, err := id.ch.do(opConnect, id.name, encodeConnect(id.number, p))
	return err
}

// Listen makes the id a listener: each request comes as CONNECT_REQUEST. Requests
// beyond backlog that nobody has read are dropped silently; 0 is the kernel's
// default.
func (id *ID) Listen(backlog uint32) error {
	_, err := id.ch.do(opListen, id.name, encodeListen(id.number, backlog))
	return err
}

// Reject answers a connection request, or a CONNECT_RESPONSE, with the reason
// "consumer reject" and at most [MaxRejectData] octets for the peer.
func (id *ID) Reject(data []byte) error {
	if len(data) > MaxRejectData {
		return &Error{Op: opReject, Object: id.name, Err: fmt.Errorf("%d octets of private data: %w", len(data), unix.EINVAL)}
	}
	_, err := id.ch.do(opReject, id.name, encodeReject(id.number, data))
	return err
}
