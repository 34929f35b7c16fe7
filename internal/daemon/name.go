package daemon

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/api"
)

// placeName is what the daemon of a network namespace is called among the abstract
// sockets there (unix(7)). Who sees the same devices sees the same names, whatever
// is mounted on /run; nobody can remove one, and it ends with the process.
const placeName = "@ibctl-serve"

// nameLimit is how long it may take to learn who has the name.
const nameLimit = time.Second

// errStranger says that somebody else has taken the name, so that it tells nothing:
// every user may take any.
var errStranger = errors.New("it belongs to no ibctl serve")

// name is a name that this process has.
type name struct {
	l        *net.UnixListener
	greeting sync.WaitGroup
}

// takeName takes the name, which a process of root's or of user own that has it
// makes an ErrRunning, and one of anybody else's an errStranger.
func takeName(text string, own uint32) (*name, error) {
	for deadline := time.Now().Add(nameLimit); ; time.Sleep(nameLimit / 50) {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: text, Net: "unix"})
		if err == nil {
			n := &name{l: l}
			n.greeting.Go(n.greet)
			return n, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, err
		}
		holder, err := holderOf(text)
		switch {
		case err == nil && (holder.UID == 0 || holder.UID == own):
			return nil, fmt.Errorf("%w: %s has the name %s in this network namespace", ErrRunning, process(holder), text)
		case err == nil:
			return nil, fmt.Errorf("%s: %w but to user %d, %s", text, errStranger, holder.UID, process(holder))
		case time.Now().After(deadline): // it is neither given up nor listened at
			return nil, fmt.Errorf("%s: %w: %w", text, errStranger, err)
		}
	}
}

// process names a peer, which may be in a container of its own.
func process(p api.Peer) string {
	if p.PID == 0 {
		return "a process of another PID namespace"
	}
	return fmt.Sprintf("process %d", p.PID)
}

func holderOf(text string) (api.Peer, error) {
	conn, err := net.DialTimeout("unix", text, nameLimit)
	if err != nil {
		return api.Peer{}, err
	}
	defer conn.Close()
	return api.PeerOf(conn)
}

// greet lets those who want to know see who has the name: the kernel tells them.
func (n *name) greet() {
	for {
		conn, err := n.l.Accept()
		switch {
		case err == nil:
			_ = conn.Close()
		case errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(nameLimit) // no descriptors, say
		}
	}
}

func (n *name) close() {
	if n != nil {
		_ = n.l.Close()
		n.greeting.Wait()
	}
}
