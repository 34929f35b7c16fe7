package live

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/netstate"
)

// space is a namespace, open to be read.
type space struct {
	place  Place
	fd     int
	socket *nl.SocketHandle
	links  []link
	nsids  map[*space]int32 // what this namespace calls others; -1: nothing
}

// openSpace opens the namespace of a place. The caller's own need not be entered.
func openSpace(p Place, own bool) (*space, error) {
	fd, err := p.open()
	if err != nil {
		return nil, err
	}
	s := &space{place: p, fd: fd, nsids: map[*space]int32{}}
	if own {
		err = s.dial()
	} else {
		err = inNamespace(fd, s.dial)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return s, nil
}

// dial opens a socket in the calling thread's namespace. Package nl could enter
// another by itself, but finds no way back from within a PID namespace, where
// its own pid means nothing to the host's /proc.
func (s *space) dial() error {
	socket, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open rtnetlink socket: %w", err)
	}
	s.socket = &nl.SocketHandle{Socket: socket}
	return nil
}

func (s *space) close() {
	s.socket.Close()
	unix.Close(s.fd)
}

// maxDumps bounds how often a dump is begun anew because the list changed under it.
const maxDumps = 8

func (s *space) read() error {
	for range maxDumps {
		err := s.readOnce()
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			return err
		}
	}
	return fmt.Errorf("list netdevs: %w", nl.ErrDumpInterrupted)
}

func (s *space) readOnce() error {
	s.links = nil
	byIndex := map[uint32]int{}
	filter := nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats))
	err := s.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK, func(payload []byte) error {
		l, err := decodeLink(s.place.ID, payload)
		if err == nil {
			byIndex[l.Index] = len(s.links)
			s.links = append(s.links, l)
		}
		return err
	}, nl.NewIfInfomsg(unix.AF_UNSPEC), filter)
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	err = s.dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, func(payload []byte) error {
		addr, index, err := decodeAddr(payload)
		if i, ok := byIndex[index]; ok && err == nil {
			s.links[i].Addrs = append(s.links[i].Addrs, addr)
		}
		return err
	}, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	for i := range s.links {
		slices.SortFunc(s.links[i].Addrs, compareAddrs)
	}
	return nil
}

// dump asks for a list and calls each for every item; the first error that it
// returns is dump's, and hides no other item.
func (s *space) dump(request int, answer uint16, each func([]byte) error, data ...nl.NetlinkRequestData) error {
	req := nl.NewNetlinkRequest(request, unix.NLM_F_DUMP)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: s.socket}
	for _, d := range data {
		req.AddData(d)
	}
	var bad error
	err := req.ExecuteIter(unix.NETLINK_ROUTE, answer, func(payload []byte) bool {
		bad = cmp.Or(bad, each(payload))
		return true
	})
	return cmp.Or(err, bad)
}

// nsid asks what this namespace calls another: -1 if it has no name for it.
func (s *space) nsid(other *space) int32 {
	req := nl.NewNetlinkRequest(unix.RTM_GETNSID, 0)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: s.socket}
	req.AddData(nl.NewRtGenMsg())
	req.AddData(nl.NewRtAttr(netlink.NETNSA_FD, nl.Uint32Attr(uint32(other.fd))))
	id := int32(-1)
	_ = req.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWNSID, func(payload []byte) bool { // none is found then
		_ = eachAttr(payload[min(nl.NewRtGenMsg().Len(), len(payload)):], func(a attr) {
			if a.typ == netlink.NETNSA_NSID {
				id = int32(a.u32())
			}
		})
		return false
	})
	return id
}

func compareAddrs(a, b netstate.Addr) int {
	return cmp.Or(a.Local.Compare(b.Local), a.Peer.Compare(b.Peer), cmp.Compare(a.Bits, b.Bits))
}
