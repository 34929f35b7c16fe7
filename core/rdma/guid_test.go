package rdma

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const someGUID GUID = 0x248a070300a529d0

func TestParseGUID(t *testing.T) {
	tests := map[string]GUID{
		"248a:0703:00a5:29d0":     someGUID, // sysfs node_guid, iproute2
		"0x248a070300a529d0":      someGUID, // ibstat
		"0X248A070300A529D0":      someGUID,
		"248a070300a529d0":        someGUID, // opensm
		"248A:0703:00A5:29D0":     someGUID,
		"24:8a:07:03:00:a5:29:d0": someGUID, // ip link
		"0000:0000:0000:0000":     0,
		"ffff:ffff:ffff:ffff":     ^GUID(0),
		"0000:0000:0000:0001":     1, // not byte-reversed
		"8000:0000:0000:0000":     1 << 63,
	}
	for text, want := range tests {
		if got, err := ParseGUID(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParseGUIDRefuses(t *testing.T) {
	tests := []string{
		"", "0x", ":", ":::", "248a", "248a:0703:00a5", "248a:0703:00a5:29d", "248a:0703:00a5:29d0:",
		"248a:0703:00a5:29d0:0000", "248a:703:0a5:29d0", "0x248a:0703:00a5:29d0", "0x0x248a070300a529",
		"248a070300a529dg", "+48a070300a529d0", "248a_0703_00a5_2", "248a0703:00a529d0",
		"2:4:8:a:0:7:0:3:0:0:a:5:2:9:d:0", " 248a070300a529d0", "248a070300a529d0\n", "fe80::1",
	}
	for _, text := range tests {
		if got, err := ParseGUID(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		} else if !strings.Contains(err.Error(), strconv.Quote(text)) {
			t.Errorf("%q: the error does not say what was refused: %v", text, err)
		}
	}
}

func TestGUIDText(t *testing.T) {
	data, err := json.Marshal(map[string]GUID{"node_guid": someGUID})
	if want := `{"node_guid":"248a:0703:00a5:29d0"}`; err != nil || string(data) != want {
		t.Errorf("got %s, %v, want %s", data, err, want)
	}
	var g GUID
	if err := json.Unmarshal([]byte(`"0x248a070300a529d0"`), &g); err != nil || g != someGUID {
		t.Errorf("got %v, %v", g, err)
	}
	if err := json.Unmarshal([]byte(`"mlx5_0"`), &g); err == nil || g != someGUID {
		t.Errorf("got %v, %v, want an error and g unchanged", g, err)
	}
}

// Whatever is accepted has 16 digits of that value, and survives being written.
func FuzzParseGUID(f *testing.F) {
	for _, seed := range []string{
		"248a:0703:00a5:29d0", "0x248a070300a529d0", "248a070300a529d0", "24:8a:07:03:00:a5:29:d0",
		"0X248A070300A529D0", "248a:0703:00a5", "0x0x248a070300a529", ":::::::", "248a:0703:00a5:29dK",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGUID(text)
		if err != nil {
			return
		}
		digits := strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(text), "0x"), ":", "")
		if want := fmt.Sprintf("%016x", uint64(g)); digits != want {
			t.Errorf("%q was read as %s", text, want)
		}
		again, err := ParseGUID(g.String())
		if err != nil || again != g {
			t.Errorf("%v came back as %v, %v", g, again, err)
		}
	})
}

func FuzzGUIDRoundTrip(f *testing.F) {
	f.Add(uint64(0))
	f.Add(uint64(someGUID))
	f.Fuzz(func(t *testing.T, v uint64) {
		text := GUID(v).String()
		forms := []string{text, strings.ToUpper(text), fmt.Sprintf("0x%016x", v), fmt.Sprintf("%016x", v)}
		for _, form := range forms {
			if g, err := ParseGUID(form); err != nil || uint64(g) != v {
				t.Errorf("%#x as %q came back as %v, %v", v, form, g, err)
			}
		}
	})
}
