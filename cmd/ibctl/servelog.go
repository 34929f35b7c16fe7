package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
)

// serviceLog is where ibctl serve writes: standard error, with priorities where
// that is systemd's journal, which has the time already.
func (inv *invocation) serviceLog() *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if inv.verbose {
		options.Level = slog.LevelDebug
	}
	if os.Getenv("JOURNAL_STREAM") == "" {
		return slog.New(slog.NewTextHandler(inv.stderr, options))
	}
	options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}
	out := &prefixed{out: inv.stderr}
	return slog.New(&journalHandler{slog.NewTextHandler(out, options), out})
}

// prefixed writes each record behind the prefix of its priority (sd-daemon(3)).
type prefixed struct {
	mu     sync.Mutex
	prefix string
	out    io.Writer
}

// Write implements io.Writer. A record is one write; the caller holds mu.
func (p *prefixed) Write(line []byte) (int, error) {
	if _, err := p.out.Write(append([]byte(p.prefix), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// journalHandler tells the journal how bad it is.
type journalHandler struct {
	slog.Handler
	out *prefixed
}

// Handle implements slog.Handler.
func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.prefix = priority(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &journalHandler{h.Handler.WithAttrs(attrs), h.out}
}

// WithGroup implements slog.Handler.
func (h *journalHandler) WithGroup(name string) slog.Handler {
	return &journalHandler{h.Handler.WithGroup(name), h.out}
}

func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}
