package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/schematest"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// watchMessages are one of each kind.
func watchMessages() []*rocev1.GIDChange {
	now := rdma.GIDEntry{Index: 5, GID: rdma.GID{10: 0xff, 11: 0xff, 12: 10, 15: 1}, Type: rdma.GIDTypeRoCEv2, Netdev: "eth0", Default: rdma.Known(false)}
	moved, other := now, now
	moved.Index, other.Netdev, other.Type = 3, "eth1", rdma.GIDTypeIBOrRoCEv1
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.Local).UnixNano()
	message := func(kind rocev1.GIDChangeKind, old *rocev1.GID) *rocev1.GIDChange {
		return &rocev1.GIDChange{Kind: kind, TimeUnixNano: at, Device: "mlx5_0", Port: 1, Gid: rocev1.NewGID(now), Old: old}
	}
	return []*rocev1.GIDChange{
		message(rocev1.GIDChangeKind_GID_CHANGE_KIND_PRESENT, nil),
		{Kind: rocev1.GIDChangeKind_GID_CHANGE_KIND_READY, TimeUnixNano: at},
		message(rocev1.GIDChangeKind_GID_CHANGE_KIND_ADDED, nil),
		message(rocev1.GIDChangeKind_GID_CHANGE_KIND_REMOVED, nil),
		message(rocev1.GIDChangeKind_GID_CHANGE_KIND_MOVED, rocev1.NewGID(moved)),
		message(rocev1.GIDChangeKind_GID_CHANGE_KIND_CHANGED, rocev1.NewGID(other)),
		{Kind: rocev1.GIDChangeKind_GID_CHANGE_KIND_MISSED, TimeUnixNano: at, Text: "events were lost"},
	}
}

const watchText = `
TIME          EVENT    DEVICE      PORT  INDEX    GID                                      TYPE   NETDEV      DETAILS
03:04:05.006  present  mlx5_0      1     5        0000:0000:0000:0000:0000:ffff:0a00:0001  v2     eth0        10.0.0.1
03:04:05.006  ready    -           -     -        -                                        -      -           -
03:04:05.006  added    mlx5_0      1     5        0000:0000:0000:0000:0000:ffff:0a00:0001  v2     eth0        10.0.0.1
03:04:05.006  removed  mlx5_0      1     5        0000:0000:0000:0000:0000:ffff:0a00:0001  v2     eth0        10.0.0.1
03:04:05.006  moved    mlx5_0      1     3→5      0000:0000:0000:0000:0000:ffff:0a00:0001  v2     eth0        10.0.0.1
03:04:05.006  changed  mlx5_0      1     5        0000:0000:0000:0000:0000:ffff:0a00:0001  v1→v2  eth1→eth0   10.0.0.1
03:04:05.006  missed   -           -     -        -                                        -      -           events were lost
`

// TestGIDChanges: lines come one by one and stand below each other all the same, and
// the document is as its schema says.
func TestGIDChanges(t *testing.T) {
	var items []gidChange
	var lines bytes.Buffer
	p := output.Printer{Out: &lines, Err: &lines, Format: output.Table}
	for _, m := range watchMessages() {
		item, err := newGIDChange(m)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
		if err := output.Print(p, gidChangeList([]gidChange{item})); err != nil {
			t.Fatal(err)
		}
		p.NoHeaders = true
	}
	if got := lines.String(); got != strings.TrimPrefix(watchText, "\n") {
		t.Errorf("got\n%s\nwant%s", got, watchText)
	}
	var document bytes.Buffer
	p = output.Printer{Out: &document, Err: &document, Format: output.JSON}
	if err := output.Print(p, gidChangeList(items)); err != nil {
		t.Fatal(err)
	}
	if err := schematest.Validate("GIDChangeList", document.Bytes()); err != nil {
		t.Errorf("%v\n%s", err, document.String())
	}
}

func TestGIDWatchRefusals(t *testing.T) {
	for _, args := range [][]string{{"gid", "watch", "--root", t.TempDir()}, {"gid", "watch", "-j"}, {"gid", "watch", "-o", "yaml"}} {
		var out, problems bytes.Buffer
		if code := run(append([]string{"ibctl"}, args...), nil, &out, &problems); code != exitUsage || problems.Len() == 0 {
			t.Errorf("%q: exit code %d: %s", args, code, problems.String())
		}
	}
}
