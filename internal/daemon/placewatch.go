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

// watchPlaces returns a watch that is of use with an error, too: it has the clock.
func watchPlaces(places ...string) (*placeWatch, error) {
	w := &placeWatch{}
	for _, place := range places {
		w.places = append(w.places, filepath.Clean(place), filepath.Dir(place))
	}
	var err error
	w.watcher, err = fsnotify.NewWatcher()
	w.renew()
	return w, err
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

// wait returns after the next tick of the clock, or change where heed is set; false says
// that stop is closed. Who could not do what a change calls for does not heed them: it
// would go round with the changes of its own attempts.
func (w *placeWatch) wait(clock <-chan time.Time, heed bool, stop <-chan struct{}) bool {
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
			if heed {
				return true
			}
		case e := <-events:
			if heed && e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0 && slices.Contains(w.places, e.Name) {
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
		case <-w.watcher.Errors: // who looks next sees what there is
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
