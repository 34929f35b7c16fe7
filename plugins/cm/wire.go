package cm

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/ucma"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// What a ping and its answer carry as private data. The field that arrives is
// padded with zeros to the size of the message's (56 octets in a request, 148
// in a rejection), so it says itself how long it is:
//
//	"ibcm"  version u8  length u8  { type u8  length u8  value }…
//
// length counts all that follows it. Unknown types are skipped, so that later
// versions may add to it; a version that is not understood is no ping.
const (
	wireMagic   = "ibcm"
	wireVersion = 1
	wireHeader  = len(wireMagic) + 2
)

// The types of values.
const (
	fieldNonce  = 1 // u64, big-endian: chosen by who asks, returned by who answers
	fieldDevice = 2 // text
	fieldPort   = 3 // u8
	fieldGID    = 4 // 16 octets
	fieldNetdev = 5 // text
	fieldHost   = 6 // text; the last, cut to what room is left
)

// DefaultPort is the port of TCP's RDMA port space that ibctl pings and listens
// on unless told otherwise. Nothing else is known to listen there: below the
// range that the kernel hands out (32768 and up), beside the services that use
// rdma_cm (NVMe 4420, NFS 20049, iSER 3260, SMB Direct 5445, rping 7174,
// perftest 18515), and it needs no privilege.
const DefaultPort = 14791

// Identity is who answered a ping, in its own words: text from the network.
type Identity struct {
	Host   string
	Device string
	Port   uint32
	GID    rdma.GID
	Netdev string
}

// encodePing returns the private data of a ping.
func encodePing(nonce uint64) []byte {
	m := newMessage()
	m.add(fieldNonce, binary.BigEndian.AppendUint64(nil, nonce), ucma.MaxConnectData)
	return m
}

// decodePing tells whether a request is a ping of ours, and its nonce.
func decodePing(data []byte) (nonce uint64, ok bool) {
	fields, err := parseMessage(data)
	if err != nil || len(fields[fieldNonce]) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(fields[fieldNonce]), true
}

// encodeAnswer returns the private data of the answer to a ping. The host's name
// is cut if all of it does not fit.
func encodeAnswer(nonce uint64, who Identity) []byte {
	m := newMessage()
	m.add(fieldNonce, binary.BigEndian.AppendUint64(nil, nonce), ucma.MaxRejectData)
	m.add(fieldPort, []byte{byte(who.Port)}, ucma.MaxRejectData)
	m.add(fieldGID, who.GID[:], ucma.MaxRejectData)
	m.add(fieldNetdev, []byte(who.Netdev), ucma.MaxRejectData)
	m.add(fieldDevice, []byte(who.Device), ucma.MaxRejectData)
	m.add(fieldHost, []byte(who.Host), ucma.MaxRejectData)
	return m
}

// decodeAnswer reads who answered the ping with that nonce. Anything else, such
// as an application's own words, is an error.
func decodeAnswer(data []byte, nonce uint64) (Identity, error) {
	fields, err := parseMessage(data)
	if err != nil {
		return Identity{}, err
	}
	if echoed, ok := decodePing(data); !ok || echoed != nonce {
		return Identity{}, fmt.Errorf("answer to another ping")
	}
	who := Identity{
		Host:   string(fields[fieldHost]),
		Device: string(fields[fieldDevice]),
		Netdev: string(fields[fieldNetdev]),
	}
	if port := fields[fieldPort]; len(port) == 1 {
		who.Port = uint32(port[0])
	}
	if gid := fields[fieldGID]; len(gid) == len(who.GID) {
		who.GID = rdma.GID(gid)
	}
	return who, nil
}

// message is private data while it is put together.
type message []byte

func newMessage() message {
	return append(message(wireMagic), wireVersion, 0)
}

// add appends a value, cut so that the message stays within limit.
func (m *message) add(typ byte, value []byte, limit int) {
	room := limit - len(*m) - 2
	if room <= 0 || len(value) == 0 {
		return
	}
	value = value[:min(len(value), room)]
	*m = append(*m, typ, byte(len(value)))
	*m = append(*m, value...)
	(*m)[wireHeader-1] = byte(len(*m) - wireHeader)
}

// parseMessage returns the values by type; of two with one type, the first.
func parseMessage(data []byte) (map[byte][]byte, error) {
	body, isOurs := bytes.CutPrefix(data, []byte(wireMagic))
	if !isOurs || len(body) < 2 || body[0] != wireVersion {
		return nil, fmt.Errorf("private data of %d octets is none of ibctl's", len(data))
	}
	size := int(body[1])
	body = body[2:]
	if size > len(body) {
		return nil, fmt.Errorf("private data claims %d octets and has %d", size, len(body))
	}
	return parseFields(body[:size])
}

func parseFields(body []byte) (map[byte][]byte, error) {
	fields := map[byte][]byte{}
	for len(body) > 0 {
		if len(body) < 2 || int(body[1]) > len(body)-2 {
			return nil, fmt.Errorf("private data ends within a value")
		}
		typ, value := body[0], body[2:2+body[1]]
		if _, twice := fields[typ]; !twice {
			fields[typ] = value
		}
		body = body[2+len(value):]
	}
	return fields, nil
}

// message writes an identity down for whoever asked for the ping.
func (who Identity) message() *cmv1.Identity {
	out := &cmv1.Identity{Host: who.Host, Device: who.Device, Port: who.Port, Netdev: who.Netdev}
	if !who.GID.IsZero() {
		out.Gid = who.GID[:]
	}
	return out
}
