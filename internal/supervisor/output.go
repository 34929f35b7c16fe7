package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
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
	if line == "" || !o.admit(line) {
		return
	}
	if o.writeRecord(line) {
		return
	}
	o.log.Log(context.Background(), level, line)
}

// admit keeps the line for [StartError], and tells whether to log it.
func (o *output) admit(line string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
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

func (o *output) writeRecord(line string) bool {
	if !strings.HasPrefix(line, "{") {
		return false
	}
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
		return false
	}
	msg, ok := fields[slog.MessageKey].(string)
	text, ok2 := fields[slog.LevelKey].(string)
	var level slog.Level
	if !ok || !ok2 || level.UnmarshalText([]byte(text)) != nil {
		return false
	}
	var args []any
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		switch key {
		case slog.MessageKey, slog.LevelKey, slog.TimeKey:
		default:
			args = append(args, key, fields[key])
		}
	}
	o.log.Log(context.Background(), level, msg, args...)
	return true
}

// lastLines returns a copy of the tail.
func (o *output) lastLines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.tail)
}

// Write makes output fit for go-plugin's stdio service, which sends what the
// plugin wrote to os.Stdout and os.Stderr in pieces.
func (o *output) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		o.write(strings.TrimRight(line, "\r\n"), slog.LevelInfo)
	}
	return len(p), nil
}
