package daemon

import (
	"log/slog"
	"sync"
	"time"

	"github.com/ibctl/ibctl/internal/journal"
)

// Everything is read again every few seconds, and what cannot be read is said
// each time.
const (
	repeatAfter   = time.Hour
	maxComplaints = 1000
)

// complaints pass on what goes wrong with reading the host, each not more often
// than once in a while.
type complaints struct {
	log     *slog.Logger
	journal *journal.Journal

	mu   sync.Mutex
	said map[string]time.Time
}

func newComplaints(log *slog.Logger, j *journal.Journal) *complaints {
	return &complaints{log: log, journal: j, said: map[string]time.Time{}}
}

// hear takes a complaint. It may be called by several goroutines at once.
func (c *complaints) hear(err error) {
	if text := err.Error(); c.isNew(text, time.Now()) {
		c.log.Warn("host", "error", text)
		c.journal.Append(journal.Event{Kind: journal.HostUnreadable, Error: text})
	}
}

func (c *complaints) isNew(text string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.said[text]; ok && now.Sub(last) < repeatAfter {
		return false
	}
	if len(c.said) >= maxComplaints {
		clear(c.said)
	}
	c.said[text] = now
	return true
}
