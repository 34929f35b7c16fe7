package cmv1

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestAddressRoundTrip(t *testing.T) {
	for _, text := range []string{"10.1.1.2:7174", "[2001:db8::1]:1", "[fe80::1%3]:65535", "0.0.0.0:0"} {
		want := netip.MustParseAddrPort(text)
		if got, err := NewAddress(want).AddrPort(); err != nil || got != want {
			t.Errorf("%s became %v, %v", text, got, err)
		}
	}
	if x := NewAddress(netip.AddrPort{}); x != nil {
		t.Errorf("no address became %v", x)
	}
	if got, err := (*Address)(nil).AddrPort(); err != nil || got.IsValid() {
		t.Errorf("nothing became %v, %v", got, err)
	}
}

func TestAddressRefusesNonsense(t *testing.T) {
	for _, x := range []*Address{{Ip: make([]byte, 5)}, {Ip: make([]byte, 4), Port: 65536}} {
		if got, err := x.AddrPort(); !errors.Is(err, ErrAddress) {
			t.Errorf("%v became %v, %v", x, got, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	list := []rdma.Warning{{Object: "rxe0/1", Op: "read default TOS", Err: fmt.Errorf("read: %w", syscall.EIO)}}
	got := RDMAWarnings(NewWarnings(list))
	if len(got) != 1 || got[0].Object != "rxe0/1" || got[0].Op != "read default TOS" || !errors.Is(got[0], syscall.EIO) {
		t.Errorf("%+v", got)
	}
	if w := (&Warning{Object: "rxe0"}).RDMA(); w.Err == nil {
		t.Error("a warning without a reason has no error")
	}
}

// Every outcome is either alive or not by choice, not by omission.
func TestEveryOutcomeIsJudged(t *testing.T) {
	dead := map[Outcome]bool{
		Outcome_OUTCOME_UNSPECIFIED: true, Outcome_OUTCOME_TIMED_OUT: true, Outcome_OUTCOME_UNREACHABLE: true,
	}
	for n := range Outcome_name {
		if o := Outcome(n); o.Alive() == dead[o] {
			t.Errorf("%v: alive %v", o, o.Alive())
		}
	}
}
