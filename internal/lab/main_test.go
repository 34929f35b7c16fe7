package lab

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGuestFlags(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "-test.timeout=5m0s -test.v"},
		{"-test.paniconexit0 -test.timeout=20m0s -test.run=TestX", "-test.timeout=5m0s -test.v -test.paniconexit0 -test.run=TestX"},
		{"-test.v=true -test.testlogfile=/tmp/log -test.count=2", "-test.timeout=5m0s -test.v -test.count=2"},
		{"-test.v=test2json", "-test.timeout=5m0s -test.v=test2json"},
		{"-test.v=false -test.coverprofile=/tmp/c", "-test.timeout=5m0s -test.v"},
	} {
		got := guestFlags(strings.Fields(c.in), 5*time.Minute, nil)
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

// TestNotOnThisMachine holds the lab to its promise that a topology is never built outside of a VM.
func TestNotOnThisMachine(t *testing.T) {
	n, err := Demo().Build()
	if err == nil {
		t.Fatalf("built, and then: %v", n.Close())
	}
	if !strings.Contains(err.Error(), "no lab VM") {
		t.Errorf("error %v", err)
	}
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1/24":                    "192.0.2.1/24",
		"2001:db8::1/64":                  "2001:db8::1/64",
		"10.0.0.1 peer 10.0.0.2/32":       "10.0.0.1/32 peer 10.0.0.2/32",
		"2001:db8::1 peer 2001:db8::2/64": "2001:db8::1/128 peer 2001:db8::2/64",
		"192.0.2.1":                       "",
		"192.0.2.1/33":                    "",
		"10.0.0.1/24 peer 10.0.0.2/32":    "",
		"10.0.0.1 peer nobody":            "",
	} {
		addr, err := parseAddress(text)
		got := ""
		if err == nil {
			got = addr.IPNet.String()
			if addr.Peer != nil {
				got += " peer " + addr.Peer.String()
			}
		}
		if got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}
