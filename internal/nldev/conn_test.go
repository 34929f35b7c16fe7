package nldev

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestDevices(t *testing.T) {
	for _, k := range kernels {
		all, err := twice(datagrams(t, k, "get-dump")).Devices(t.Context())
		if err != nil || len(all) != 4 {
			t.Fatalf("%s: %d devices, %v", k, len(all), err)
		}
		for i, d := range all {
			if d.Index != rdma.Known(uint32(i)) || d.Name != "rxe"+string(rune('0'+i)) || d.PortCount != rdma.Known(uint32(1)) {
				t.Errorf("%s: %+v", k, d)
			}
			if d.NodeType != rdma.Known(rdma.NodeCA) || d.Protocol != rdma.ProtocolRoCE || d.Firmware != "" {
				t.Errorf("%s: %+v", k, d)
			}
			if guid, ok := d.NodeGUID.Get(); !ok || guid == 0 || d.SysImageGUID != d.NodeGUID {
				t.Errorf("%s: %+v", k, d)
			}
		}
	}
}

// The GUID that sysfs and rdma(8) show as 401e:13ff:fe32:345a has its first
// octet on top: the kernel sends a number, in host order.
func TestGUIDOrder(t *testing.T) {
	guid, err := attr{data: []byte{0x5a, 0x34, 0x32, 0xfe, 0xff, 0x13, 0x1e, 0x40}}.guid()
	if err != nil || guid.String() != "401e:13ff:fe32:345a" {
		t.Errorf("got %v, %v", guid, err)
	}
}

func TestDevice(t *testing.T) {
	for _, k := range kernels {
		d, err := replay(t, k, "get-one").Device(t.Context(), 0)
		if err != nil || d.Name != "rxe0" {
			t.Errorf("%s: %+v, %v", k, d, err)
		}
		_, err = replay(t, k, "get-missing").Device(t.Context(), 0x7ffffff0)
		if !errors.Is(err, ErrNoDevice) || !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v", k, err)
		}
	}
}

func TestPorts(t *testing.T) {
	for _, k := range kernels {
		ports, err := replay(t, k, "port-dump").Ports(t.Context(), 0)
		want := rdma.Port{
			Number: 1, State: rdma.Known(rdma.PortActive), PhysState: rdma.Known(rdma.PhysLinkUp),
			Netdev: "eth0", NetdevIndex: rdma.Known(uint32(2)),
		}
		if err != nil || len(ports) != 1 || ports[0] != want {
			t.Errorf("%s: %+v, %v", k, ports, err)
		}
		// The kernel reports this error in the message that ends the dump.
		if _, err := replay(t, k, "port-missing").Ports(t.Context(), 0x7ffffff0); !errors.Is(err, ErrNoDevice) {
			t.Errorf("%s: %v", k, err)
		}
	}
}

func TestInfiniBandPort(t *testing.T) {
	got, err := decodePort(attributes(
		nl.NewRtAttr(attrPortIndex, nl.Uint32Attr(2)),
		nl.NewRtAttr(attrCapFlags, nl.Uint64Attr(0x0000_0010_2259_e848)),
		nl.NewRtAttr(attrSubnetPrefix, nl.Uint64Attr(0xfe80_0000_0000_0000)),
		nl.NewRtAttr(attrLID, nl.Uint32Attr(0x1_0003)),
		nl.NewRtAttr(attrSMLID, nl.Uint32Attr(1)),
		nl.NewRtAttr(attrLMC, nl.Uint8Attr(0)),
		nl.NewRtAttr(9999, nl.Uint8Attr(0)), // of a newer kernel
	))
	want := rdma.Port{
		Number: 2, CapMask: rdma.Known(uint32(0x2259e848)), SubnetPrefix: rdma.Known(rdma.GUID(0xfe80 << 48)),
		LID: rdma.Known(uint32(0x10003)), SMLID: rdma.Known(uint32(1)), LMC: rdma.Known(uint32(0)),
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSystem(t *testing.T) {
	for _, k := range kernels {
		s, err := replay(t, k, "sys-get").System(t.Context())
		if err != nil || s.NetnsMode != rdma.Known(NetnsShared) || s.CopyOnFork != rdma.Known(true) {
			t.Errorf("%s: %+v, %v", k, s, err)
		}
		monitor, qkey := rdma.Known(true), rdma.Known(false)
		if k == "6.1" { // older than both
			monitor, qkey = rdma.Opt[bool]{}, rdma.Opt[bool]{}
		}
		if s.Monitor != monitor || s.PrivilegedQKey != qkey {
			t.Errorf("%s: %+v", k, s)
		}
	}
}

func TestCharDev(t *testing.T) {
	for _, k := range kernels {
		d, err := replay(t, k, "chardev-uverbs").CharDev(t.Context(), "uverbs", rdma.Known(uint32(0)), rdma.Opt[uint32]{})
		if err != nil || d.Name != "uverbs0" || d.ABI != rdma.Known(uint64(2)) || d.DriverID != rdma.Known(uint32(14)) || unix.Major(d.Dev.Or(0)) != 231 {
			t.Errorf("%s: %+v, %v", k, d, err)
		}
		d, err = replay(t, k, "chardev-cm").CharDev(t.Context(), "rdma_cm", rdma.Opt[uint32]{}, rdma.Opt[uint32]{})
		if err != nil || d.Name != "rdma_cm" || d.DriverID.IsKnown() {
			t.Errorf("%s: %+v, %v", k, d, err)
		}
		_, err = replay(t, k, "chardev-missing").CharDev(t.Context(), "nonesuch", rdma.Opt[uint32]{}, rdma.Opt[uint32]{})
		if !errors.Is(err, unix.EOPNOTSUPP) {
			t.Errorf("%s: %v", k, err)
		}
	}
}

// The kernel's own words reach the user.
func TestExtendedAck(t *testing.T) {
	for _, k := range kernels {
		_, err := replay(t, k, "bad-attribute").Device(t.Context(), 0)
		if err == nil || !strings.Contains(err.Error(), "nldev GET #0: invalid argument (kernel: Attribute failed policy validation)") {
			t.Errorf("%s: %v", k, err)
		}
	}
}

func TestKernelWithoutTheFeature(t *testing.T) {
	c := conn(&script{answers: [][][]byte{datagrams(t, "6.1", "bad-operation"), datagrams(t, "6.1", "bad-operation")}})
	_, err := c.System(t.Context())
	var u *UnsupportedError
	if !errors.Is(err, ErrUnsupported) || !errors.As(err, &u) || u.Since != "5.2" || !errors.Is(err, unix.EINVAL) {
		t.Errorf("SYS_GET: %v", err)
	}
	if _, err := c.Monitor(t.Context()); !errors.As(err, &u) || u.Since != "6.12" {
		t.Errorf("monitor, SYS_GET missing: %v", err)
	}
	if _, err := replay(t, "6.1", "sys-get").Monitor(t.Context()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("monitor: %v", err)
	}
	if err := socketError(unix.EPROTONOSUPPORT); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no socket: %v", err)
	}
}

// An interrupted dump is begun anew, without what the first one gave; not for ever.
func TestDumpInterrupted(t *testing.T) {
	dump := datagrams(t, "7.x", "get-dump")
	interrupted := [][]byte{dump[0], message(unix.NLMSG_DONE, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR, []byte{0, 0, 0, 0})}
	all, err := conn(&script{answers: [][][]byte{interrupted, interrupted, dump, interrupted, dump}}).Devices(t.Context())
	if err != nil || len(all) != 4 {
		t.Errorf("%d devices, %v", len(all), err)
	}
	var always [][][]byte
	for range maxDumps {
		always = append(always, interrupted)
	}
	if _, err := conn(&script{answers: always}).Devices(t.Context()); !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v, want ErrInterrupted", err)
	}
}

// A device that goes while they are listed makes the kernel leave out another, unsaid: no such list is taken for true.
func TestDeviceLeftOutOfDump(t *testing.T) {
	dump := datagrams(t, "7.x", "get-dump")
	end := dump[4]
	for name, c := range map[string]struct {
		dumps [][][]byte
		names string
	}{
		"one went":           {[][][]byte{{dump[0], dump[2], end}, {dump[1], dump[2], end}, {dump[1], dump[2], end}}, "rxe1 rxe2"},
		"the only one shown": {[][][]byte{{dump[0], end}, {dump[1], end}, {dump[1], end}}, "rxe1"},
		"one came below":     {[][][]byte{{dump[1], dump[1], end}, {dump[0], dump[1], end}, {dump[0], dump[1], end}}, "rxe0 rxe1"},
		"all went":           {[][][]byte{{dump[0], end}, {end}}, ""},
		"none there":         {[][][]byte{{end}}, ""},
	} {
		all, err := conn(&script{answers: c.dumps}).Devices(t.Context())
		var names []string
		for _, d := range all {
			names = append(names, d.Name)
		}
		if err != nil || strings.Join(names, " ") != c.names {
			t.Errorf("%s: %q, %v", name, names, err)
		}
	}
	var restless [][][]byte
	for i := range maxDumps {
		restless = append(restless, [][]byte{dump[i%2], end})
	}
	if all, err := conn(&script{answers: restless}).Devices(t.Context()); !errors.Is(err, ErrInterrupted) || len(all) > 0 {
		t.Errorf("%d devices, %v; want ErrInterrupted", len(all), err)
	}
}

// One message that makes no sense does not hide the others.
func TestMalformedMessageBesideGoodOnes(t *testing.T) {
	dump := datagrams(t, "7.x", "get-dump")
	bad := message(clientNLDev<<10|cmdGet, unix.NLM_F_MULTI, []byte{8, 0, 1, 0})
	all, err := twice([][]byte{dump[0], bad, dump[1], dump[4]}).Devices(t.Context())
	if !errors.Is(err, ErrMalformed) || len(all) != 2 {
		t.Errorf("%d devices, %v", len(all), err)
	}
}

func TestForeignAnswersAreIgnored(t *testing.T) {
	answers := [][][]byte{datagrams(t, "7.x", "get-one")}
	end := errors.New("end")
	for what, s := range map[string]*script{
		"another process's": {answers: answers, from: 4711, err: end},
		"an earlier one's":  {answers: answers, seq: 1, err: end},
	} {
		if d, err := conn(s).Device(t.Context(), 0); !errors.Is(err, end) {
			t.Errorf("%s: %+v, %v", what, d, err)
		}
	}
}

// After an exchange that did not come to its end, the next has a socket of its own.
func TestNewSocketAfterFailure(t *testing.T) {
	first := &script{err: unix.ENOBUFS}
	c := conn(first, &script{answers: [][][]byte{datagrams(t, "7.x", "get-one")}})
	if _, err := c.Device(t.Context(), 0); !errors.Is(err, unix.ENOBUFS) || !first.closed {
		t.Errorf("first: %v, closed %t", err, first.closed)
	}
	if d, err := c.Device(t.Context(), 0); err != nil || d.Name != "rxe0" {
		t.Errorf("second: %+v, %v", d, err)
	}
}

// hung is a socket whose kernel does not answer.
type hung struct {
	asked chan struct{} // gets the request
	gone  chan struct{} // closed with the socket
	once  sync.Once
}

func (h *hung) Send(*nl.NetlinkRequest) error { h.asked <- struct{}{}; return nil }
func (h *hung) Close()                        { h.once.Do(func() { close(h.gone) }) }

func (h *hung) Receive() ([]syscall.NetlinkMessage, *unix.SockaddrNetlink, error) {
	<-h.gone
	return nil, nil, os.ErrClosed
}

func TestContextInterrupts(t *testing.T) {
	why := errors.New("enough")
	h := &hung{asked: make(chan struct{}), gone: make(chan struct{})}
	c := &Conn{open: func() (socket, error) { return h, nil }}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() {
		_, err := c.Devices(ctx)
		done <- err
	}()
	<-h.asked
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Devices(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: got %v", err)
	}
}
