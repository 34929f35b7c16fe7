package nldev

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// dim-off is an acknowledgement.
func TestSystemChanges(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*Conn) error
		op   uint16
		want []byte
	}{
		{"exclusive", func(c *Conn) error { return c.SetNetnsMode(t.Context(), NetnsExclusive) }, cmdSysSet, attrBytes(attrNetnsMode, []byte{0})},
		{"shared", func(c *Conn) error { return c.SetNetnsMode(t.Context(), NetnsShared) }, cmdSysSet, attrBytes(attrNetnsMode, []byte{1})},
		{"qkey on", func(c *Conn) error { return c.SetPrivilegedQKey(t.Context(), true) }, cmdSysSet, attrBytes(attrPrivilegedQKey, []byte{1})},
		{"qkey off", func(c *Conn) error { return c.SetPrivilegedQKey(t.Context(), false) }, cmdSysSet, attrBytes(attrPrivilegedQKey, []byte{0})},
		{"sub-device", func(c *Conn) error { return c.AddSubDevice(t.Context(), 3, "smi0") }, cmdNewDev, slices.Concat(
			attrBytes(attrDevIndex, u32Bytes(3)), attrBytes(attrDevName, []byte("smi0\x00")), attrBytes(attrDevType, []byte{1}))},
	} {
		kernel := &script{answers: [][][]byte{datagrams(t, "6.12", "dim-off")}}
		if err := tt.do(conn(kernel)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		sent := kernel.sent[0]
		if raw := sent.Serialize()[unix.SizeofNlMsghdr:]; sent.Type != clientNLDev<<10|tt.op || sent.Flags&unix.NLM_F_ACK == 0 || !slices.Equal(raw, tt.want) {
			t.Errorf("%s: type %#x, flags %#x, % x", tt.name, sent.Type, sent.Flags, raw)
		}
	}
	if err := conn(&script{}).SetNetnsMode(t.Context(), "open"); err == nil {
		t.Error("a mode that there is not")
	}
}

// dellink-missing is an EINVAL, which older kernels answer to what they lack; with
// sub-devices it may be the parent that is not there.
func TestSystemChangesOnOldKernels(t *testing.T) {
	var old *UnsupportedError
	if err := replay(t, "6.1", "dellink-missing").SetPrivilegedQKey(t.Context(), true); !errors.As(err, &old) || old.Since != "6.7" {
		t.Error(err)
	}
	refused := func(get string) *Conn {
		return conn(&script{answers: [][][]byte{datagrams(t, "6.1", "dellink-missing"), datagrams(t, "6.1", get)}})
	}
	if err := refused("get-one").AddSubDevice(t.Context(), 0, "smi0"); !errors.As(err, &old) || old.Since != "6.11" {
		t.Error(err)
	}
	if err := refused("get-missing").AddSubDevice(t.Context(), 0, "smi0"); errors.Is(err, ErrUnsupported) || !errors.Is(err, unix.EINVAL) {
		t.Error(err)
	}
}
