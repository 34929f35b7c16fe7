package e2e

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// kernelPath is what the kernel itself would put into a QP for a connection (struct ib_uverbs_qp_attr, filled by INIT_QP_ATTR).
type kernelPath struct {
	port, sgidIndex, hopLimit, trafficClass uint8
	dgid                                    rdma.GID
	mtu                                     int
}

// The offsets in struct ib_uverbs_qp_attr (include/uapi/rdma/ib_user_verbs.h).
const (
	qpAttrSize      = 144
	qpAttrMTU       = 12 // enum ib_mtu
	qpAttrDGID      = 40 // ah_attr.grh
	qpAttrSGIDIndex = qpAttrDGID + 20
	qpAttrHopLimit  = qpAttrDGID + 21
	qpAttrClass     = qpAttrDGID + 22
	qpAttrPort      = qpAttrDGID + 24 + 6
)

// rawUCMA is the connection manager's device, spoken to by hand and not through internal/ucma, which it is to judge.
type rawUCMA struct {
	t  *testing.T
	fd int
}

// command writes one command; the pointer to the answer goes to offset at, unless that is negative.
func (r rawUCMA) command(cmd uint32, body []byte, at, size int) []byte {
	r.t.Helper()
	answer := make([]byte, max(size, 1))
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&answer[0])
	msg := binary.NativeEndian.AppendUint32(nil, cmd)
	msg = binary.NativeEndian.AppendUint16(msg, uint16(len(body)))
	msg = binary.NativeEndian.AppendUint16(msg, uint16(size))
	msg = append(msg, body...)
	if at >= 0 {
		binary.NativeEndian.PutUint64(msg[8+at:], uint64(uintptr(unsafe.Pointer(&answer[0]))))
	}
	if _, err := unix.Write(r.fd, msg); err != nil {
		r.t.Fatalf("rdma_cm command %d: %v", cmd, err)
	}
	return answer
}

// event waits for the event of that type.
func (r rawUCMA) event(want uint32) {
	r.t.Helper()
	e := r.command(12, make([]byte, 8), 0, 336)
	if got := binary.NativeEndian.Uint32(e[12:]); got != want {
		r.t.Fatalf("rdma_cm event %d with status %d, want event %d", got, int32(binary.NativeEndian.Uint32(e[16:])), want)
	}
}

// askKernel connects to a listener that accepts, and asks the kernel how the QP is to be set up. The neighbour must be known.
func askKernel(t *testing.T, source, destination netip.AddrPort) kernelPath {
	t.Helper()
	fd, err := unix.Open("/dev/infiniband/rdma_cm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	r := rawUCMA{t, fd}
	create := make([]byte, 24)
	binary.NativeEndian.PutUint64(create, 1)
	binary.NativeEndian.PutUint16(create[16:], 0x0106)
	create[18] = 2
	id := r.command(0, create, 8, 4)[:4]

	resolve := make([]byte, 272)
	copy(resolve, id)
	binary.NativeEndian.PutUint32(resolve[4:], 2000)
	if source.IsValid() {
		binary.NativeEndian.PutUint16(resolve[8:], putSockaddr(resolve[16:], source))
	}
	binary.NativeEndian.PutUint16(resolve[10:], putSockaddr(resolve[144:], destination))
	r.command(21, resolve, -1, 0)
	r.event(0)
	r.command(4, append(append([]byte{}, id...), 0xd0, 7, 0, 0), -1, 0)
	r.event(2)

	connect := make([]byte, 288)
	binary.NativeEndian.PutUint32(connect, 1)
	connect[271] = 1
	copy(connect[272:], id)
	r.command(6, connect, -1, 0)
	r.event(5)

	init := make([]byte, 16)
	copy(init[8:], id)
	init[12] = 2 // IB_QPS_RTR
	return parseQPAttr(r.command(11, init, 0, qpAttrSize))
}

func parseQPAttr(b []byte) kernelPath {
	return kernelPath{
		port: b[qpAttrPort], sgidIndex: b[qpAttrSGIDIndex], hopLimit: b[qpAttrHopLimit], trafficClass: b[qpAttrClass],
		dgid: rdma.GID(b[qpAttrDGID : qpAttrDGID+16]), mtu: 128 << binary.NativeEndian.Uint32(b[qpAttrMTU:]),
	}
}

// putSockaddr writes a sockaddr_in or sockaddr_in6 and returns its size.
func putSockaddr(b []byte, a netip.AddrPort) uint16 {
	binary.BigEndian.PutUint16(b[2:], a.Port())
	if a.Addr().Is4() {
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		copy(b[4:], a.Addr().AsSlice())
		return 16
	}
	binary.NativeEndian.PutUint16(b, unix.AF_INET6)
	copy(b[8:], a.Addr().AsSlice())
	var scope uint32
	fmt.Sscan(a.Addr().Zone(), &scope)
	binary.NativeEndian.PutUint32(b[24:], scope)
	return 28
}
