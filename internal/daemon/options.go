package daemon

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/drained"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// RunDir is where the daemon keeps what must not outlive it.
const RunDir = "/run/ibctl/serve"

// Options say how to run.
type Options struct {
	// Version is what callers are told.
	Version string
	// Configure reads the configuration: at the start, and when a client is to be
	// loaded. Required.
	Configure func() (config.Config, error)
	// Builtin names the clients that need no path: those to load where the
	// configuration names none.
	Builtin []string
	// Spec says how to start a client. Required.
	Spec func(config.Client, config.Config) (supervisor.Spec, error)

	// Root is a captured tree to serve instead of this host.
	Root string
	// Listener is a socket that somebody else has made, such as the service
	// manager. Nil: Run makes one at Socket; api.Socket if that is empty.
	Listener *net.UnixListener
	Socket   string
	// Recheck is how often it is made sure that the socket and the run directory are
	// where they were made, beside each time that something comes or goes there; a
	// minute if zero.
	Recheck time.Duration
	// RunDir stands in for the constant of that name.
	RunDir string
	// In tests, place stands in for placeName, and source for following the host; an
	// unwatched daemon is not told what becomes of its files.
	place     string
	source    func(context.Context, host.Registry, func())
	unwatched bool

	// Drained remembers which devices are drained; the one of this host if it is
	// zero.
	Drained drained.Store

	// Log gets what happens; nil discards it.
	Log *slog.Logger
	// Notify tells the service manager; nil tells nobody. Watchdog is how often
	// it wants to hear from us; 0 for never.
	Notify   func(state string)
	Watchdog time.Duration
}

func (o Options) withDefaults() Options {
	o.Socket = cmp.Or(o.Socket, api.Socket)
	o.RunDir = cmp.Or(o.RunDir, RunDir)
	if o.Drained == (drained.Store{}) {
		o.Drained = drained.Open(drained.Dir)
	}
	o.Recheck = cmp.Or(o.Recheck, time.Minute)
	o.place = cmp.Or(o.place, placeName)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	return o
}

// Bounds of what is kept and waited for.
const (
	// registryEvents is how far the journal may be behind the registry.
	registryEvents = 1024
	// keptEvents is how many events there are to replay, if the configuration
	// does not say.
	keptEvents = 4096
	// stopLimit is how long Run waits for clients to let go, if the configuration
	// does not say.
	stopLimit = time.Minute
	// readyLimit is how long the start waits for the first Adds before it calls
	// itself ready all the same.
	readyLimit = 30 * time.Second
	// farewell is how long callers have to read what is left for them.
	farewell = time.Second
	// sendLimit is how long a caller may take to accept one message of a client's
	// answer.
	sendLimit = 2 * time.Second
	// readLimit bounds a question that has one answer.
	readLimit = time.Minute
	// arrivalLimit is how long a device that is to be drained may be unknown: it
	// may have been made a moment ago.
	arrivalLimit = 5 * time.Second
	// claimLimit is how long somebody else may still be at work on a device that is
	// to be drained.
	claimLimit = time.Second
	// waitNews is how often whoever drains is told who is waited for.
	waitNews = time.Second
	// parallelReads is how many questions read the kernel at the same time.
	parallelReads = 4
)

func limitsOf(c config.Limits) supervisor.Limits {
	return supervisor.Limits{Start: c.Start, Add: c.Add, Change: c.Change, Remove: c.Remove}
}
