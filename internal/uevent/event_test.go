package uevent

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// recorded returns the uevents of a soft RoCE device's life on a kernel.
func recorded(t testing.TB, kernel string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/recorded/" + kernel + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for line := range strings.Lines(string(text)) {
		m, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages
}

var kernels = []string{"6.1", "6.12", "7.x"}

func TestDecode(t *testing.T) {
	for _, k := range kernels {
		var life []string
		last := uint64(0)
		for _, m := range recorded(t, k) {
			e, err := decode([]byte(m))
			if err != nil {
				t.Errorf("%s: %q: %v", k, m, err)
				continue
			}
			if last > 0 && e.Seq != last+1 {
				t.Errorf("%s: event %d after %d", k, e.Seq, last)
			}
			last = e.Seq
			if e.Subsystem == "infiniband" {
				life = append(life, string(e.Action)+" "+e.Name()+" "+e.Properties["NAME"])
			}
		}
		if want := []string{"add rxe0 rxe0", "move hca0 hca0", "remove hca0 hca0"}; !slices.Equal(life, want) {
			t.Errorf("%s: got %q", k, life)
		}
	}
}

func TestDecodeMalformed(t *testing.T) {
	const good = "add@/devices/x\x00ACTION=add\x00DEVPATH=/devices/x\x00SUBSYSTEM=infiniband\x00SEQNUM=7\x00"
	for what, message := range map[string]string{
		"empty":                 "",
		"NUL":                   "\x00",
		"cut off":               good[:len(good)-1],
		"udev's":                "libudev\x00\xfe\xed\xca\xfe\x00",
		"no action":             strings.Replace(good, "add@", "@", 1),
		"no path":               "add@\x00",
		"relative path":         "add@devices/x\x00",
		"header alone":          "add@/devices/x\x00",
		"no value":              strings.Replace(good, "SEQNUM=7", "SEQNUM", 1),
		"no key":                strings.Replace(good, "SEQNUM=7", "=7", 1),
		"sequence is text":      strings.Replace(good, "=7", "=seven", 1),
		"sequence is too large": strings.Replace(good, "=7", "=18446744073709551616", 1),
		"other action":          strings.Replace(good, "ACTION=add", "ACTION=remove", 1),
		"other path":            strings.Replace(good, "DEVPATH=/devices/x", "DEVPATH=/devices/y", 1),
	} {
		if e, err := decode([]byte(message)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v, want ErrMalformed", what, e, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, k := range kernels {
		for _, m := range recorded(f, k) {
			f.Add([]byte(m))
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e, err := decode(message)
		if err != nil {
			return
		}
		if e.Action == "" || e.DevPath == "" || !strings.HasPrefix(string(message), string(e.Action)+"@"+e.DevPath+"\x00") {
			t.Errorf("%q became %+v", message, e)
		}
	})
}
