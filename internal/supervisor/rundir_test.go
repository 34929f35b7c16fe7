package supervisor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What a supervisor left that died a moment ago may be one that is just starting,
// unless there can be none.
func TestSweepOfWhatIsYoung(t *testing.T) {
	for _, sole := range []bool{false, true} {
		base := shortTempDir(t)
		left := filepath.Join(base, "1-left")
		if err := os.Mkdir(left, 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{RunDir: base, Sole: sole})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		_, err = os.Stat(left)
		if swept := errors.Is(err, fs.ErrNotExist); swept != sole {
			t.Errorf("sole %v: swept %v (%v)", sole, swept, err)
		}
	}
}
