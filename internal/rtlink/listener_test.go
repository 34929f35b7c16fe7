package rtlink

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// message is one of a kind, about a link.
func message(kind uint16, index uint32) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+4:], index)
	return b
}

func TestDecode(t *testing.T) {
	odd := append(message(unix.RTM_NEWLINK, 5), 1, 2, 3) // not a multiple of four, as the last may be
	binary.NativeEndian.PutUint32(odd, uint32(len(odd)))
	short := message(unix.RTM_DELLINK, 6)[:unix.SizeofNlMsghdr+8]
	binary.NativeEndian.PutUint32(short, uint32(len(short)))
	tests := []struct {
		what string
		in   []byte
		want []uint32
		lost bool
	}{
		{"nothing", nil, nil, false},
		{"come and gone", slices.Concat(message(unix.RTM_NEWLINK, 2), message(unix.RTM_DELLINK, 3)), []uint32{2, 3}, false},
		{"an address", message(unix.RTM_NEWADDR, 2), nil, false},
		{"the end of a list", message(unix.NLMSG_DONE, 0), nil, false},
		{"an odd length", odd, []uint32{5}, false},
		{"cut off", message(unix.RTM_NEWLINK, 2)[:20], nil, true},
		{"too short for a link", slices.Concat(message(unix.RTM_NEWLINK, 2), short), []uint32{2}, true},
		{"a few octets", []byte{1, 2, 3}, nil, true},
		{"a length of nothing", make([]byte, 32), nil, true},
	}
	for _, tt := range tests {
		got, err := decode(tt.in)
		if !slices.Equal(got, tt.want) || errors.Is(err, ErrLost) != tt.lost {
			t.Errorf("%s: %v, %v; want %v, lost %v", tt.what, got, err, tt.want, tt.lost)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(message(unix.RTM_NEWLINK, 2))
	f.Add(make([]byte, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		if links, _ := decode(b); len(links) > len(b)/unix.SizeofNlMsghdr {
			t.Errorf("%d links in %d octets", len(links), len(b))
		}
	})
}

func TestReceiveEnds(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() {
		for {
			if _, err := l.Receive(ctx); err != nil && !errors.Is(err, ErrLost) {
				done <- err
				return
			}
		}
	}()
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Receive(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: got %v", err)
	}
}
