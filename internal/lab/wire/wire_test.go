package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	sent := []FromGuest{
		{Hello: &Hello{Release: "6.12.1"}},
		{Stdout: []byte("a line\nand \x00 \xff bytes")},
		{Stderr: []byte("lab: {}\n")},
		{Failed: "mount /: no such device"},
		{Exit: &Exit{Status: 137, Signal: "SIGKILL"}},
	}
	var stream bytes.Buffer
	s := NewSender(&stream)
	for _, m := range sent {
		if err := s.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	var got []FromGuest
	err := Receive(bytewise(&stream), func(m FromGuest) error { got = append(got, m); return nil })
	if err != nil || !reflect.DeepEqual(got, sent) {
		t.Errorf("received %+v, %v; want %+v", got, err, sent)
	}
}

// bytewise makes a reader that yields one byte at a time, as a slow port might.
func bytewise(r io.Reader) io.Reader { return oneByte{r} }

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

func TestReceiveEnds(t *testing.T) {
	stop := errors.New("stop")
	for _, c := range []struct {
		name, stream string
		handle       error
		ok           bool
		calls        int
	}{
		{"nothing", "", nil, true, 0},
		{"two messages", `{"dump":true}{"dump":true}`, nil, true, 2},
		{"cut off", `{"dump":true}{"du`, nil, false, 1},
		{"no message", "login: ", nil, false, 0},
		{"handler refuses", `{"dump":true}{"dump":true}`, stop, false, 1},
	} {
		calls := 0
		err := Receive(strings.NewReader(c.stream), func(ToGuest) error { calls++; return c.handle })
		if (err == nil) != c.ok || calls != c.calls || c.handle != nil && !errors.Is(err, c.handle) {
			t.Errorf("%s: %d calls, error %v", c.name, calls, err)
		}
	}
}

func TestSendersDoNotMix(t *testing.T) {
	r, w := io.Pipe()
	s := NewSender(w)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for range 100 {
				if err := s.Send(FromGuest{Stdout: bytes.Repeat([]byte("x"), 1000)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { senders.Wait(); w.Close() }()
	n := 0
	err := Receive(r, func(m FromGuest) error { n += len(m.Stdout); return nil })
	if err != nil || n != 8*100*1000 {
		t.Errorf("%d bytes, %v", n, err)
	}
}
