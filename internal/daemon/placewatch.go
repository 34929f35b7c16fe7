package daemon

import (
	"time"

	"github.com/fsnotify/fsnotify"
)

// placeWatch tells that something has come or gone in some directories, or with one
// of them. One goroutine uses it.
type placeWatch struct {
	watcher *fsnotify.Watcher // nil where the kernel gives no more of them: a user has so many
	dirs    []string
}

// settleTime is how long a change is given to be over: whoever removes a tree is not
// to find part of it made again meanwhile.
const settleTime = 100 * time.Millisecond

func watchPlaces(dirs ...string) *placeWatch {
	w := &placeWatch{dirs: dirs}
	w.watcher, _ = fsnotify.NewWatcher() //nolint:errcheck // there is the clock, too
	w.renew()
	return w
}

// renew looks at the directories that have the names now.
func (w *placeWatch) renew() {
	if w.watcher == nil {
		return
	}
	for _, dir := range w.dirs {
		_ = w.watcher.Add(dir) // one that cannot be watched is looked after by the clock
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
			if e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0 {
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

func (w *placeWatch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}
