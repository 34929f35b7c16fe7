package output

import (
	"bytes"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

var sample = Problem{
	Code: 64, Reason: "usage", Message: "device \x1b[31mmlx5 is ambiguous",
	Candidates: []string{"mlx5_0", "mlx5_1"}, Hint: "name one of them",
}

func TestErrorAsText(t *testing.T) {
	var b bytes.Buffer
	Printer{Err: &b, Format: Table}.Error(sample)
	want := "ibctl: device \\x1b[31mmlx5 is ambiguous\n    mlx5_0\n    mlx5_1\nibctl: name one of them\n"
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestErrorIsAnObject(t *testing.T) {
	for _, f := range []Format{JSON, JSONL, YAML} {
		var b bytes.Buffer
		Printer{Err: &b, Format: f}.Error(sample)
		if bytes.Count(b.Bytes(), []byte("\n")) != 1 {
			t.Errorf("-o %s: not one line: %q", f, b.String())
		}
		validate(t, "Error", b.Bytes())
	}
}

func TestWarningIsAnObject(t *testing.T) {
	var b bytes.Buffer
	Printer{Err: &b, Format: JSONL}.Warn(rdma.Warning{Object: "rxe0", Op: "read fw_ver", Err: bytes.ErrTooLarge})
	validate(t, "Warning", b.Bytes())
}

func TestNotesAreForPeople(t *testing.T) {
	for f, want := range map[Format]string{Table: "ibctl: hello\n", Name: "ibctl: hello\n", JSON: "", JSONL: "", YAML: ""} {
		var b bytes.Buffer
		Printer{Err: &b, Format: f}.Note("hello")
		if b.String() != want {
			t.Errorf("-o %s: %q, want %q", f, b.String(), want)
		}
	}
}
