package supervisor

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseRecord(t *testing.T) {
	tests := []struct {
		line  string
		text  string // empty where it is no record
		level slog.Level
	}{
		{`{"time":"2026-11-23T09:00:00Z","level":"WARN","msg":"cannot listen","port":4791,"address":"10.0.0.1"}`, "cannot listen address=10.0.0.1 port=4791", slog.LevelWarn},
		{`{"@level":"error","@message":"plugin init error","@timestamp":"x","error":"no"}`, "plugin init error error=no", slog.LevelError},
		{`{"@level":"trace","@message":"m"}`, "m", slog.LevelDebug - 4},
		{`{"level":"LOUD","msg":"m"}`, "", 0},
		{`{"level":"INFO","msg":7}`, "", 0},
		{`{"level":"INFO"`, "", 0},
		{`{}`, "", 0},
		{`plain`, "", 0},
	}
	for _, tt := range tests {
		r, ok := parseRecord(tt.line)
		if ok != (tt.text != "") || (ok && (r.text() != tt.text || r.level != tt.level)) {
			t.Errorf("%s: %q at %v, %v", tt.line, r.text(), r.level, ok)
		}
	}
}

// FuzzParseRecord: a plugin may write what it likes.
func FuzzParseRecord(f *testing.F) {
	f.Add(`{"level":"INFO","msg":"m","a":{"b":[1,null]}}`)
	f.Add(`{"@level":"trace","@message":"m"}`)
	f.Fuzz(func(_ *testing.T, line string) {
		r, _ := parseRecord(line)
		_ = r.text()
	})
}

func newOutput(log io.Writer, limits Limits) *output {
	return &output{log: slog.New(slog.NewTextHandler(log, nil)), limits: limits.withDefaults()}
}

func TestFollowBoundsLines(t *testing.T) {
	var got []string
	o := newOutput(io.Discard, Limits{LogLine: 16})
	o.follow(strings.NewReader("short\r\n"+strings.Repeat("x", 1000)+"\n\nlast"), func(line string) { got = append(got, line) })
	want := []string{"short", strings.Repeat("x", 16), "", "last"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("lines %q, want %q", got, want)
	}
}

// TestRate: a plugin that floods its log costs some lines of it, and the log says
// how many.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := newOutput(&log, Limits{LogRate: 3, LogTail: 2})
		for range 10 {
			o.write("line", slog.LevelInfo)
		}
		time.Sleep(time.Second)
		o.write("later", slog.LevelInfo)
		if got := strings.Count(log.String(), "msg=line"); got != 3 {
			t.Errorf("%d lines", got)
		}
		if !strings.Contains(log.String(), "dropped\" count=7") || !strings.Contains(log.String(), "msg=later") {
			t.Errorf("log:\n%s", &log)
		}
		if got := o.lastLines(); len(got) != 2 || got[1] != "later" {
			t.Errorf("last lines %q", got)
		}
	})
}

func TestLastWords(t *testing.T) {
	for _, tt := range []struct{ lines, want string }{
		{"", ""},
		{"one\ntwo", "two"},
		{"panic: no more\n\ngoroutine 1 [running]:\nmain.main()", "panic: no more"},
		{"fatal error: all goroutines are asleep - deadlock!\nmore", "fatal error: all goroutines are asleep - deadlock!"},
	} {
		o := newOutput(io.Discard, Limits{})
		_, _ = o.Write([]byte(tt.lines))
		if got := o.lastWords(); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.lines, got, tt.want)
		}
	}
}
