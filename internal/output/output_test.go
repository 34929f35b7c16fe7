package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

// thing is what the tests show; the schema of GIDList fits it.
type thing struct {
	Device string `json:"device"`
	Port   uint32 `json:"port"`
	Index  uint32 `json:"index"`
	GID    string `json:"gid"`
	Netdev string `json:"netdev,omitempty"`
}

const someGID = "fe80:0000:0000:0000:5054:00ff:fe12:3456"

func things(items []thing, warnings ...rdma.Warning) Result[thing] {
	return Result[thing]{
		Kind: "GIDList", Items: items, Warnings: warnings,
		Body: Rows(items, []Column[thing]{
			{Header: "DEVICE", Cell: func(t thing) string { return t.Device }},
			{Header: "INDEX", Cell: func(t thing) string { return string('0' + rune(t.Index)) }, Right: true},
			{Header: "GID", Cell: func(t thing) string { return t.GID }, Wide: true},
			{Header: "NETDEV", Cell: func(t thing) string { return t.Netdev }},
		}),
		Name: func(t thing) string { return t.Device },
	}
}

func show(t *testing.T, f Format, r Result[thing]) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if err := Print(Printer{Out: &out, Err: &errs, Format: f}, r); err != nil {
		t.Fatalf("Print(%s): %v", f, err)
	}
	return out.String(), errs.String()
}

func TestFormats(t *testing.T) {
	items := []thing{
		{Device: "rxe0", Port: 1, GID: someGID, Netdev: "eth0"},
		{Device: "mlx5_bond_0", Port: 1, Index: 3, GID: someGID},
	}
	w := rdma.Warning{Object: "rxe0/1", Op: "read rate", Err: syscall.EINVAL}
	const warned = "ibctl: warning: rxe0/1: read rate: invalid argument\n"
	for _, tt := range []struct {
		format      Format
		out, stderr string
	}{
		{Table, "DEVICE       INDEX  NETDEV\nrxe0             0  eth0\nmlx5_bond_0      3  -\n", warned},
		{Wide, "DEVICE       INDEX  GID                                      NETDEV\n" +
			"rxe0             0  " + someGID + "  eth0\n" +
			"mlx5_bond_0      3  " + someGID + "  -\n", warned},
		{Name, "rxe0\nmlx5_bond_0\n", warned},
		{JSONL, `{"device":"rxe0","port":1,"index":0,"gid":"` + someGID + `","netdev":"eth0"}` + "\n" +
			`{"device":"mlx5_bond_0","port":1,"index":3,"gid":"` + someGID + `"}` + "\n",
			`{"apiVersion":"ibctl/v1","kind":"Warning","object":"rxe0/1","operation":"read rate","message":"invalid argument"}` + "\n"},
		{YAML, `apiVersion: ibctl/v1
kind: GIDList
items:
  - device: rxe0
    port: 1
    index: 0
    gid: "` + someGID + `"
    netdev: eth0
  - device: mlx5_bond_0
    port: 1
    index: 3
    gid: "` + someGID + `"
warnings:
  - object: rxe0/1
    operation: read rate
    message: invalid argument
`, ""},
	} {
		t.Run(string(tt.format), func(t *testing.T) {
			out, stderr := show(t, tt.format, things(items, w))
			if out != tt.out {
				t.Errorf("stdout:\n%s\nwant:\n%s", out, tt.out)
			}
			if stderr != tt.stderr {
				t.Errorf("stderr:\n%s\nwant:\n%s", stderr, tt.stderr)
			}
		})
	}
}

func TestJSONDocument(t *testing.T) {
	out, stderr := show(t, JSON, things(
		[]thing{{Device: "rxe0", Port: 1, GID: someGID}},
		rdma.Warning{Object: "rxe0", Op: "read fw_ver", Err: syscall.EACCES}))
	validate(t, "GIDList", []byte(out))
	if stderr != "" {
		t.Errorf("warnings are in the document and on stderr: %q", stderr)
	}
	var doc struct{ Warnings []map[string]string }
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Warnings) != 1 || doc.Warnings[0]["message"] != "permission denied" {
		t.Errorf("warnings: %v", doc.Warnings)
	}
}

func TestEmptyResultIsADocument(t *testing.T) {
	for format, want := range map[Format]string{
		Table: "DEVICE  INDEX  NETDEV\n", JSONL: "", Name: "",
		YAML: "apiVersion: ibctl/v1\nkind: GIDList\nitems: []\nwarnings: []\n",
	} {
		if out, _ := show(t, format, things(nil)); out != want {
			t.Errorf("-o %s: %q, want %q", format, out, want)
		}
	}
	out, _ := show(t, JSON, things(nil))
	validate(t, "GIDList", []byte(out))
}

func TestNoHeaders(t *testing.T) {
	var out bytes.Buffer
	p := Printer{Out: &out, Err: io.Discard, Format: Table, NoHeaders: true}
	if err := Print(p, things([]thing{{Device: "rxe0"}})); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "rxe0  0  -\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRecords(t *testing.T) {
	r := things([]thing{{Device: "rxe0"}})
	r.Body = Records([]Record{
		{Title: "rxe0", Fields: []Field{{"protocol", "roce"}, {"firmware", ""}},
			Parts: []Record{{Title: "port 1", Fields: []Field{{"physical state", "LINK_UP"}}}}},
		{Title: "siw0"},
	})
	out, _ := show(t, Table, r)
	want := `rxe0
    protocol            roce
    port 1
        physical state  LINK_UP

siw0
`
	if out != want {
		t.Errorf("got:\n%s\nwant:\n%s", out, want)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestWriteErrorIsReturned(t *testing.T) {
	for _, f := range Formats() {
		p := Printer{Out: failing{syscall.ENOSPC}, Err: io.Discard, Format: f}
		err := Print(p, things([]thing{{Device: "rxe0"}}))
		var we *WriteError
		if !errors.As(err, &we) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("-o %s: %v, want a WriteError of ENOSPC", f, err)
		}
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range Formats() {
		if got, _, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("ParseFormat(%q) = %q, %v", f, got, err)
		}
	}
	for _, bad := range []string{"", "xml", "JSON", "json "} {
		if _, _, err := ParseFormat(bad); err == nil || !strings.Contains(err.Error(), "table, wide, json") {
			t.Errorf("ParseFormat(%q): %v, want an error that lists the formats", bad, err)
		}
	}
}
