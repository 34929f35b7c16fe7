package supervisor

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// output carries the lines that a plugin writes into a log. It is bounded in
// every direction: a plugin that floods its log costs some lines of it.
type output struct {
	log     *slog.Logger
	limits  Limits
	mu      sync.Mutex
	tail    []string // the last lines, oldest first
	panic   string   // the line with which a Go program began to die
	second  time.Time
	lines   int // kept in this second
	dropped int
}

// follow reads r until it ends, handing each line to keep.
func (o *output) follow(r io.Reader, keep func(line string)) {
	br := bufio.NewReaderSize(r, o.limits.LogLine)
	for {
		line, err := br.ReadSlice('\n')
		if len(line) > 0 {
			keep(strings.TrimRight(string(line), "\r\n"))
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = br.ReadSlice('\n') // the rest of an overlong line
		}
		if err != nil {
			return
		}
	}
}

// write takes one line: a record of slog's JSON handler keeps its level and
// attributes, anything else is logged as it is.
func (o *output) write(line string, level slog.Level) {
	if line == "" {
		return
	}
	r, ok := parseRecord(line)
	if !ok {
		r = record{level: level, msg: line}
	}
	if o.admit(r.text()) {
		o.log.Log(context.Background(), r.level, r.msg, r.args...)
	}
}

// admit keeps the line for [StartError], and tells whether to log it.
func (o *output) admit(line string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
		o.panic = line
	}
	o.tail = append(o.tail, line)
	if len(o.tail) > o.limits.LogTail {
		o.tail = slices.Delete(o.tail, 0, 1)
	}
	if now := time.Now(); now.Sub(o.second) >= time.Second {
		o.reportDropped()
		o.second, o.lines = now, 0
	}
	if o.lines >= o.limits.LogRate {
		o.dropped++
		return false
	}
	o.lines++
	return true
}

// reportDropped is called with o.mu held.
func (o *output) reportDropped() {
	if o.dropped > 0 {
		o.log.Warn("lines of the plugin's output were dropped", "count", o.dropped)
		o.dropped = 0
	}
}

// lastLines returns a copy of the tail.
func (o *output) lastLines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.tail)
}

// lastWords returns the one line that most likely says why the process ended.
func (o *output) lastWords() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.panic != "" || len(o.tail) == 0 {
		return o.panic
	}
	return o.tail[len(o.tail)-1]
}

// Write makes output fit for go-plugin's stdio service, which sends what the
// plugin wrote to os.Stdout and os.Stderr in pieces.
func (o *output) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		o.write(strings.TrimRight(line, "\r\n"), slog.LevelInfo)
	}
	return len(p), nil
}
