package daemon

import (
	"sync"
	"time"
)

// keepPublished puts the socket back to its place when somebody has taken it away,
// until stop is called: the daemon would drive devices, and nobody could ask it.
func (d *daemon) keepPublished(sock *socket) (stop func()) {
	if sock.own == "" {
		return func() {} // it is for its maker to see to that
	}
	ticker, done := time.NewTicker(d.Recheck), make(chan struct{})
	var keeping sync.WaitGroup
	keeping.Go(func() {
		for {
			select {
			case <-ticker.C:
				d.republish(sock)
			case <-done:
				return
			}
		}
	})
	return func() {
		ticker.Stop()
		close(done)
		keeping.Wait()
	}
}

func (d *daemon) republish(sock *socket) {
	if sock.isPublished() {
		return
	}
	if err := sock.publish(); err != nil {
		d.Log.Error("the socket is gone, and cannot be put back", "socket", sock.own, "error", err)
		return
	}
	d.Log.Warn("the socket was gone, and is back", "socket", sock.own)
}
