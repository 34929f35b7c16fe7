package daemon

import (
	"net"
	"sync"

	"github.com/ibctl/ibctl/internal/api"
)

// Connections that those who may only read can have open: each user, and all of
// them together. The daemon's own user has no bound.
const (
	connectionsEach = 16
	connectionsAll  = 128
)

// crowd bounds the connections of a listener. One too many is closed at once.
type crowd struct {
	net.Listener
	own uint32

	mu    sync.Mutex
	users map[uint32]int
	all   int
}

func newCrowd(l net.Listener, own uint32) *crowd {
	return &crowd{Listener: l, own: own, users: map[uint32]int{}}
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer, err := api.PeerOf(conn)
		if err == nil && (peer.UID == c.own || peer.UID == 0) {
			return conn, nil
		}
		if err == nil && c.enter(peer.UID) {
			return &member{UnixConn: conn.(*net.UnixConn), leave: sync.OnceFunc(func() { c.leave(peer.UID) })}, nil
		}
		_ = conn.Close()
	}
}

func (c *crowd) enter(uid uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= connectionsAll || c.users[uid] >= connectionsEach {
		return false
	}
	c.all++
	c.users[uid]++
	return true
}

func (c *crowd) leave(uid uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.users[uid]--; c.users[uid] == 0 {
		delete(c.users, uid)
	}
}

// member is a connection that is counted.
type member struct {
	*net.UnixConn
	leave func()
}

// Close implements net.Conn.
func (m *member) Close() error {
	m.leave()
	return m.UnixConn.Close()
}
