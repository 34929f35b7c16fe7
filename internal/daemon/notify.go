package daemon

import (
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// What a service manager is told (sd_notify(3)).
const (
	notifyReady    = sd.SdNotifyReady
	notifyStopping = sd.SdNotifyStopping
	notifyAlive    = sd.SdNotifyWatchdog
)

// watch tells the service manager that the daemon is alive, twice as often as it
// wants to hear it, until stop is called. A registry whose locks nobody gets any
// more is not alive: the manager hears nothing then, and acts.
func (d *daemon) watch() (stop func()) {
	if d.Watchdog <= 0 {
		return func() {}
	}
	ticker, done := time.NewTicker(d.Watchdog/2), make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-ticker.C:
				d.registry.Devices()
				d.registry.Clients()
				d.Notify(notifyAlive)
			case <-done:
				return
			}
		}
	})
	return func() {
		ticker.Stop()
		close(done)
		watching.Wait()
	}
}
