package nldev

import (
	"errors"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// fuzz feeds a decoder, beginning with what the kernels sent. An answer that
// cannot be decoded is ErrMalformed; check says what holds of one that can.
func fuzz[T any](f *testing.F, names []string, decode func([]byte) (T, error), check func(T) bool) {
	for _, k := range kernels {
		for _, name := range names {
			for _, p := range payloads(f, k, name) {
				f.Add(p)
			}
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := slices.Clone(payload)
		v, err := decode(payload)
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%v is no ErrMalformed", err)
		}
		if err == nil && !check(v) {
			t.Errorf("%x became %+v", payload, v)
		}
		if !slices.Equal(before, payload) {
			t.Error("the decoder changed its input")
		}
	})
}

func FuzzDevice(f *testing.F) {
	fuzz(f, []string{"get-dump", "get-one"}, decodeDevice, func(d Device) bool { return d.Index.IsKnown() && d.Name != "" })
}

func FuzzPort(f *testing.F) {
	hasNumber := func(payload []byte) bool {
		found := false
		_ = eachAttr(payload, func(a attr) error { found = found || a.typ == attrPortIndex; return nil })
		return found
	}
	type result struct {
		numbered bool
	}
	fuzz(f, []string{"port-dump"}, func(b []byte) (result, error) {
		_, err := decodePort(b)
		return result{hasNumber(b)}, err
	}, func(r result) bool { return r.numbered })
}

func FuzzSystem(f *testing.F) {
	fuzz(f, []string{"sys-get"}, decodeSystem, func(s System) bool {
		m, known := s.NetnsMode.Get()
		return !known || m == NetnsShared || m == NetnsExclusive
	})
}

func FuzzCharDev(f *testing.F) {
	fuzz(f, []string{"chardev-uverbs", "chardev-cm"}, decodeCharDev, func(d CharDev) bool { return d.Name != "" })
}

func FuzzEvent(f *testing.F) {
	fuzz(f, []string{"event"}, decodeEvent, func(e Event) bool { return e.Type.String() != "" })
}

// FuzzAnswers feeds whole datagrams, with their headers, to an exchange: it must
// come to an end, with devices that are whole or with an error.
func FuzzAnswers(f *testing.F) {
	for _, k := range kernels {
		for _, name := range []string{"get-dump", "get-missing", "port-missing", "bad-attribute", "bad-operation"} {
			f.Add(slices.Concat(datagrams(f, k, name)...))
		}
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		all, err := twice([][]byte{datagram}).Devices(t.Context())
		for _, d := range all {
			if !d.Index.IsKnown() || d.Name == "" {
				t.Errorf("%x gave %+v, %v", datagram, d, err)
			}
		}
	})
}

// FuzzRefusal feeds the messages that carry an errno.
func FuzzRefusal(f *testing.F) {
	for _, k := range kernels {
		for _, name := range []string{"get-missing", "port-missing", "bad-attribute", "bad-operation"} {
			for _, raw := range datagrams(f, k, name) {
				f.Add(uint16(unix.NLM_F_ACK_TLVS), raw[unix.SizeofNlMsghdr:])
				f.Add(uint16(unix.NLM_F_ACK_TLVS|unix.NLM_F_CAPPED), raw[unix.SizeofNlMsghdr:])
			}
		}
	}
	f.Fuzz(func(t *testing.T, flags uint16, data []byte) {
		m := syscall.NetlinkMessage{Header: syscall.NlMsghdr{Flags: flags}, Data: data}
		for _, decode := range []func(syscall.NetlinkMessage) (refusal, error){decodeError, decodeDone} {
			r, err := decode(m)
			if err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("%v is no ErrMalformed", err)
			}
			if r.errno > 4095 {
				t.Errorf("errno %d", r.errno)
			}
		}
	})
}
