package takedown

import (
	"fmt"
	"strings"
	"time"

	"github.com/ibctl/ibctl/internal/holders"
)

// news tells what is waited for and how long already: after a second, and then
// ever less often.
type news struct {
	say   func(string)
	start time.Time
	next  time.Duration
}

func newNews(say func(string)) *news {
	return &news{say: say, start: time.Now(), next: time.Second}
}

// tell says what, if it is time.
func (n *news) tell(what func() string) {
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
