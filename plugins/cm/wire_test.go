package cm

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/ucma"
)

// padded is what arrives: the whole field, the rest of it zeros.
func padded(data []byte, size int) []byte {
	return append(bytes.Clone(data), make([]byte, size-len(data))...)
}

func TestPingRoundTrip(t *testing.T) {
	data := encodePing(0x0102030405060708)
	if len(data) > ucma.MaxConnectData {
		t.Fatalf("%d octets", len(data))
	}
	if nonce, ok := decodePing(padded(data, ucma.MaxConnectData)); !ok || nonce != 0x0102030405060708 {
		t.Errorf("nonce %#x, %v", nonce, ok)
	}
}

func TestAnswerRoundTrip(t *testing.T) {
	want := Identity{Host: "storage-7", Device: "mlx5_0", Port: 1, GID: rdma.GID{0xfe, 0x80, 15: 1}, Netdev: "eth4"}
	got, err := decodeAnswer(padded(encodeAnswer(7, want), ucma.MaxRejectData), 7)
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLongNamesLoseTheEndOfTheHost(t *testing.T) {
	want := Identity{Host: strings.Repeat("h", 255), Device: strings.Repeat("d", 63), Port: 255, GID: rdma.GID{1}, Netdev: strings.Repeat("n", 15)}
	data := encodeAnswer(7, want)
	if len(data) != ucma.MaxRejectData {
		t.Fatalf("%d octets, want all %d", len(data), ucma.MaxRejectData)
	}
	got, err := decodeAnswer(data, 7)
	if err != nil || len(got.Host) == 0 || !strings.HasPrefix(want.Host, got.Host) {
		t.Errorf("host %q, %v", got.Host, err)
	}
	if got.Host = want.Host; got != want {
		t.Errorf("%+v", got)
	}
}

func TestEmptyValuesStayEmpty(t *testing.T) {
	got, err := decodeAnswer(encodeAnswer(7, Identity{}), 7)
	if err != nil || got != (Identity{}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatIsNoPing(t *testing.T) {
	ping := encodePing(7)
	otherVersion := bytes.Clone(ping)
	otherVersion[4]++
	tooLong := bytes.Clone(ping)
	tooLong[5] = 200
	tests := map[string][]byte{
		"nothing":          nil,
		"zeros":            make([]byte, ucma.MaxConnectData),
		"an application's": []byte("hello, this is not ibctl speaking"),
		"a later version":  otherVersion,
		"cut":              ping[:len(ping)-1],
		"a length beyond":  tooLong,
		"no nonce":         newMessage(),
	}
	for name, data := range tests {
		if _, ok := decodePing(data); ok {
			t.Errorf("%s was taken for a ping", name)
		}
	}
}

func TestAnswerToAnotherPing(t *testing.T) {
	if who, err := decodeAnswer(encodeAnswer(7, Identity{Host: "h"}), 8); err == nil {
		t.Errorf("taken for %+v", who)
	}
}

func TestUnknownValuesAreSkipped(t *testing.T) {
	m := message(encodePing(7))
	m.add(200, []byte("later"), ucma.MaxConnectData)
	if nonce, ok := decodePing(m); !ok || nonce != 7 {
		t.Errorf("nonce %d, %v", nonce, ok)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(padded(encodeAnswer(7, Identity{Host: "storage-7", Device: "mlx5_0", Port: 1, Netdev: "eth4"}), ucma.MaxRejectData))
	f.Add(encodePing(7))
	f.Add([]byte(wireMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		who, err := decodeAnswer(data, 7)
		if err != nil {
			return
		}
		// What was understood survives being said again, but for a host that the
		// other side had more room for.
		again, err := decodeAnswer(encodeAnswer(7, who), 7)
		again.Host, who.Host = "", ""
		if err == nil && len(data) <= ucma.MaxRejectData && again != who {
			t.Errorf("%+v became %+v", who, again)
		}
	})
}
