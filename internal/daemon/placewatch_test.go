package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// loggedLines is a log that a test can read while it is written.
type loggedLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *loggedLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *loggedLines) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), words)
}

// A socket that cannot be put back is tried again by the clock, and not over and over: neither what is in its place nor the daemon's
// own attempts set it off.
func TestSocketCannotBePutBack(t *testing.T) {
	var said loggedLines
	r := start(t, func(r *running) { r.opts.Log = slog.New(slog.NewTextHandler(&said, nil)) }, "roce")
	if err := errors.Join(os.Remove(r.opts.Socket), os.MkdirAll(r.opts.Socket+"/full", 0o700)); err != nil {
		t.Fatal(err)
	}
	const trouble = "cannot be put back"
	eventually(t, "the daemon to say that it cannot", func() bool { return said.count(trouble) > 0 })
	for i := range 8 {
		written := os.WriteFile(r.opts.Socket+".x", []byte{byte(i)}, 0o600)
		if err := errors.Join(written, os.Remove(r.opts.Socket+".x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(settleTime)
	}
	if n := said.count(trouble); n != 1 {
		t.Errorf("it was tried %d times", n)
	}
	if err := os.RemoveAll(r.opts.Socket); err != nil {
		t.Fatal(err)
	}
}
