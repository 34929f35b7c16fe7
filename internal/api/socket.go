package api

import (
	"os"

	"golang.org/x/sys/unix"
)

// Socket is where ibctl serve listens.
const Socket = "/run/ibctl/ibctl.sock"

// ClientKey is the metadata that names the client for which a call is meant.
const ClientKey = "ibctl-client"

// MaxRequest is the longest request that the daemon reads, and MaxReply the
// longest reply that ibctl does, in octets.
const (
	MaxRequest = 1 << 20
	MaxReply   = 64 << 20
	// Window is how much of a reply may be on its way unread. A fixed one spares the
	// pings with which gRPC would measure the connection.
	Window = 1 << 20
)

// Namespace identifies a namespace, as stat(2) shows its file.
type Namespace struct{ Device, Inode uint64 }

// NetworkNamespace returns that of the calling thread.
func NetworkNamespace() (Namespace, error) {
	const path = "/proc/thread-self/ns/net"
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Namespace{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return Namespace{uint64(st.Dev), st.Ino}, nil
}
