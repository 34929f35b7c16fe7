package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// placeWatch tells that something may have become of some files or directories: that
// one of them has come or gone, or the directory that it is in. One goroutine uses it.
type placeWatch struct {
	watcher *fsnotify.Watcher // nil where the kernel gives no more of them: a user has so many
	places  []string
}

// settleTime is how long a change is given to be over: whoever removes a tree is not
// to find part of it made again meanwhile.
const settleTime = 100 * time.Millisecond

func watchPlaces(places ...string) *placeWatch {
	w := &placeWatch{}
	for _, place := range places {
		w.places = append(w.places, filepath.Clean(place), filepath.Dir(place))
	}
	w.watcher, _ = fsnotify.NewWatcher() //nolint:errcheck // there is the clock, too
	w.renew()
	return w
}

// renew looks at the directories that have the names now.
func (w *placeWatch) renew() {
	if w.watcher == nil {
		return
	}
	for _, place := range w.places {
		if info, err := os.Stat(place); err == nil && info.IsDir() {
			_ = w.watcher.Add(place) // one that cannot be watched is looked after by the clock
		}
	}
}

// wait returns after the next change, or tick of the clock; false says that stop is
// closed.
func (w *placeWatch) wait(clock <-chan time.Time, stop <-chan struct{}) bool {
	var events chan fsnotify.Event
	var errs chan error
	if w.watcher != nil {
		events, errs = w.watcher.Events, w.watcher.Errors
	}
	for {
		select {
		case <-stop:
			return false
		case <-clock:
			return true
		case <-errs: // events were lost
			return true
		case e := <-events:
			if e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0 && slices.Contains(w.places, e.Name) {
				return w.settle(stop)
			}
		}
	}
}

// settle waits until a change is over. False says that stop is closed.
func (w *placeWatch) settle(stop <-chan struct{}) bool {
	over := time.NewTimer(settleTime)
	defer over.Stop()
	for {
		select {
		case <-stop:
			return false
		case <-w.watcher.Events:
		case <-over.C:
			return true
		}
	}
}

// rest is wait without the changes: for who could not do what they call for, and
// would go round with the changes of its own attempts.
func (w *placeWatch) rest(clock <-chan time.Time, stop <-chan struct{}) bool {
	var events chan fsnotify.Event
	if w.watcher != nil {
		events = w.watcher.Events
	}
	for {
		select {
		case <-stop:
			return false
		case <-clock:
			return true
		case <-events:
		}
	}
}

func (w *placeWatch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}
