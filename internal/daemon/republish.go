package daemon

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// keepReachable puts back what somebody has taken away, until stop is called: a
// daemon that drives devices, and that nobody can ask, is of no use, and where it
// has lost the run directory another one could take it. serve is to answer at a
// socket that takes the place of one that is lost.
func (d *daemon) keepReachable(dir *runDir, sock *socket, serve func(net.Listener)) (stop func()) {
	ticker, done := time.NewTicker(d.Recheck), make(chan struct{})
	watch := &placeWatch{}
	if !d.unwatched {
		var err error
		if watch, err = watchPlaces(dir.path, d.Socket); err != nil {
			d.Log.Warn("not told when the socket or the run directory is removed; looking from time to time", "every", d.Recheck, "error", err)
		}
	}
	var keeping sync.WaitGroup
	keeping.Go(func() {
		for heed := true; watch.wait(ticker.C, heed, done); {
			reclaimed, published := d.reclaim(dir), d.republish(sock, serve)
			heed = reclaimed && published
			watch.renew()
		}
	})
	return func() {
		ticker.Stop()
		close(done)
		keeping.Wait()
		watch.close()
	}
}

// reclaim takes the run directory again, and tells whether it is there. Of two daemons
// the one that has it stays.
func (d *daemon) reclaim(dir *runDir) bool {
	if dir.isThere() {
		return true
	}
	switch err := dir.retake(); {
	case errors.Is(err, ErrRunning):
		d.fail(fmt.Errorf("the run directory was taken away: %w", err))
	case err != nil:
		d.Log.Error("the run directory is gone, and cannot be put back", "directory", dir.path, "error", err)
	default:
		d.Log.Warn("the run directory was gone, and is back", "directory", dir.path)
		if err := d.records.rewrite(); err != nil {
			d.Log.Error("records are lost", "error", err)
		}
		return true
	}
	return false
}

// republish gives the socket its place, and tells whether it has it. A socket that has
// no name any more cannot get one; another takes its place.
func (d *daemon) republish(sock *socket, serve func(net.Listener)) bool {
	if sock.own == "" || sock.isPublished() {
		return true // it is for its maker to see to that, or nothing is to be done
	}
	restore := sock.publish
	if sock.isNameless() {
		restore = func() error { return sock.renew(serve) }
	}
	if err := restore(); err != nil {
		d.Log.Error("the socket is gone, and cannot be put back", "socket", sock.own, "error", err)
		return false
	}
	d.Log.Warn("the socket was gone, and is back", "socket", sock.own)
	return true
}
