package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Peer is the process at the other end of a Unix socket, as it was when it
// connected, or began to listen (unix(7), SO_PEERCRED and SO_PEERGROUPS). The
// ids are in this process's user namespace, the pid in its PID namespace.
type Peer struct {
	UID, GID uint32
	PID      int32 // 0 if it is in another PID namespace
	Groups   []uint32
}

// In tells whether the peer is a member of the group.
func (p Peer) In(gid uint32) bool { return p.GID == gid || slices.Contains(p.Groups, gid) }

// AuthType implements credentials.AuthInfo.
func (Peer) AuthType() string { return "unix" }

// GetCommonAuthInfo tells gRPC that nobody can listen in.
func (Peer) GetCommonAuthInfo() credentials.CommonAuthInfo {
	return credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}
}

// PeerOf returns who is at the other end of conn.
func PeerOf(conn net.Conn) (Peer, error) {
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return Peer{}, fmt.Errorf("%T is no Unix socket", conn)
	}
	access, err := raw.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var p Peer
	var failed error
	err = access.Control(func(fd uintptr) { p, failed = peerOf(int(fd)) })
	return p, errors.Join(err, failed)
}

func peerOf(fd int) (Peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	p := Peer{UID: cred.Uid, GID: cred.Gid, PID: cred.Pid}
	p.Groups, err = peerGroups(fd)
	if errors.Is(err, unix.ENODATA) { // a listening socket's: nobody noted them
		err = nil
	}
	return p, err
}

// maxGroups is NGROUPS_MAX (include/uapi/linux/limits.h).
const maxGroups = 65536

// peerGroups returns the supplementary groups. The kernel says ERANGE, and how
// much room it needs, where there is too little.
func peerGroups(fd int) ([]uint32, error) {
	for room := 64; room <= maxGroups; room *= 32 {
		groups := make([]uint32, room)
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return groups[:size/4], nil
		case unix.ERANGE:
		default:
			return nil, fmt.Errorf("peer groups: %w", errno)
		}
	}
	return nil, fmt.Errorf("peer groups: %w", unix.ERANGE)
}

// Credentials are a gRPC server's, for Unix sockets: they add nothing to the
// wire and note who connects; see [Caller].
func Credentials() credentials.TransportCredentials { return unixCredentials{} }

type unixCredentials struct{}

// ServerHandshake implements credentials.TransportCredentials.
func (unixCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	p, err := PeerOf(conn)
	if err != nil {
		return nil, nil, err
	}
	return conn, p, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (unixCredentials) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return unixCredentials{}.ServerHandshake(conn)
}

// Info implements credentials.TransportCredentials.
func (unixCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "unix"}
}

// Clone implements credentials.TransportCredentials.
func (c unixCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName implements credentials.TransportCredentials.
func (unixCredentials) OverrideServerName(string) error { return nil }

// Caller returns who made the call that a handler works on.
func Caller(ctx context.Context) (Peer, bool) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return Peer{}, false
	}
	p, ok := from.AuthInfo.(Peer)
	return p, ok
}
