package uevent

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// recorded are messages as Linux 6.12 sent them when a soft RoCE device was
// made, renamed and removed.
var recorded = map[string]Event{
	"add@/devices/virtual/infiniband/rxe0\x00ACTION=add\x00DEVPATH=/devices/virtual/infiniband/rxe0\x00SUBSYSTEM=infiniband\x00NAME=rxe0\x00SEQNUM=1234\x00": {
		Action: Add, DevPath: "/devices/virtual/infiniband/rxe0", Subsystem: "infiniband", Seq: 1234,
	},
	"move@/devices/virtual/infiniband/hca0\x00ACTION=move\x00DEVPATH=/devices/virtual/infiniband/hca0\x00SUBSYSTEM=infiniband\x00DEVPATH_OLD=/devices/virtual/infiniband/rxe0\x00NAME=hca0\x00SEQNUM=1250\x00": {
		Action: Move, DevPath: "/devices/virtual/infiniband/hca0", Subsystem: "infiniband", Seq: 1250,
	},
}

func TestDecode(t *testing.T) {
	for message, want := range recorded {
		got, err := decode([]byte(message))
		if err != nil {
			t.Errorf("%q: %v", message, err)
			continue
		}
		if got.Properties["ACTION"] != string(want.Action) || got.Name() != want.DevPath[len("/devices/virtual/infiniband/"):] {
			t.Errorf("%q: got %+v", message, got)
		}
		got.Properties = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v", message, got)
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
	for message := range recorded {
		f.Add([]byte(message))
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
