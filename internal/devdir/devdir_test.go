package devdir

import (
	"errors"
	"testing"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

func tree(t *testing.T) *sysfs.FS {
	t.Helper()
	fs, err := sysfs.Open(sysfstest.Tree{"class/infiniband/old/node_type": "1: CA\n", "class/infiniband/new/node_type": "1: CA\n"}.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	return fs
}

func TestOpen(t *testing.T) {
	for _, tt := range []struct {
		what    string
		answers []any // names and errors, in turn; the last one goes on
		asked   int
		err     error
	}{
		{"it has the name", []any{"old"}, 2, nil},
		{"it has been renamed", []any{"new"}, 2, nil},
		{"it is renamed meanwhile", []any{"old", "new"}, 4, nil},
		{"its name was another's and is free", []any{"gone", "new"}, 4, nil},
		{"it goes", []any{nldev.ErrNoDevice}, 1, sysfs.ErrNoDevice},
		{"it goes meanwhile", []any{"old", nldev.ErrNoDevice}, 3, sysfs.ErrNoDevice},
		{"nobody knows", []any{errors.New("no answer")}, 1, nil},
		{"its directory is not there", []any{"gone"}, 2, sysfs.ErrNoDevice},
	} {
		asked := 0
		dir, err := open(tree(t), "old", func() (string, error) {
			answer := tt.answers[min(asked, len(tt.answers)-1)]
			asked++
			if err, failed := answer.(error); failed {
				return "", err
			}
			return answer.(string), nil
		})
		if !errors.Is(err, tt.err) || (dir == nil) != (tt.err != nil) || asked != tt.asked {
			t.Errorf("%s: %v, %v after %d questions; want %v after %d", tt.what, dir, err, asked, tt.err, tt.asked)
		}
		if err == nil {
			_ = dir.Close()
		}
	}
}

func TestRenamedAllTheTime(t *testing.T) {
	names := []string{"old", "new", "newer"}
	asked := 0
	_, err := open(tree(t), "old", func() (string, error) {
		asked++
		return names[asked%len(names)], nil
	})
	if !errors.Is(err, sysfs.ErrNoDevice) || asked != 2*attempts {
		t.Errorf("%v after %d questions", err, asked)
	}
}

// In a captured tree only names tell.
func TestOpenInATree(t *testing.T) {
	dir, err := Open(t.Context(), tree(t), 7, "old")
	if err != nil {
		t.Fatal(err)
	}
	_ = dir.Close()
	if _, err := Open(t.Context(), tree(t), core.NoIndex, "gone"); !errors.Is(err, sysfs.ErrNoDevice) {
		t.Errorf("%v", err)
	}
}
