package takedown

import (
	"fmt"
	"strings"
	"time"

	"github.com/ibctl/ibctl/internal/holders"
)

// News tells what is waited for and how long already: after a second, and then
// ever less often.
type News struct {
	say   func(string)
	start time.Time
	next  time.Duration
}

// NewNews returns one that begins now and is told by say, which may be nil.
func NewNews(say func(string)) *News {
	return &News{say: say, start: time.Now(), next: time.Second}
}

// Tell says what, if it is time.
func (n *News) Tell(what func() string) {
	passed := time.Since(n.start)
	if n.say == nil || passed < n.next {
		return
	}
	n.next = min(2*n.next, n.next+10*time.Second)
	n.say(fmt.Sprintf("%s, for %v", what(), passed.Round(time.Second)))
}

// whoAll names holders: "a (pid 1), b (pid 2)".
func whoAll(list []holders.Holder) string {
	var all []string
	for _, h := range list {
		all = append(all, Who(h))
	}
	return strings.Join(all, ", ")
}
