package plugintest

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// log keeps what plugins write, and what is said of them.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) logger() *slog.Logger { return slog.New(l) }

// all returns the lines so far.
func (l *log) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// Enabled implements slog.Handler.
func (*log) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements slog.Handler. It keeps the bare message.
func (l *log) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, r.Message)
	return nil
}

// WithAttrs implements slog.Handler.
func (l *log) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *log) WithGroup(string) slog.Handler { return l }
