package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/journal"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// daemon is one run.
type daemon struct {
	Options
	started  time.Time
	limit    time.Duration // for the end as a whole
	registry *core.Registry
	journal  *journal.Journal
	clients  *clients
	// full and summary read the devices, in more and less detail.
	full, summary *host.Host
	complaints    *complaints
	records       *records
	calls         calls
	// drains are the devices that somebody drains, or undrains.
	drains drains
	// listeners are goroutines that end with their calls, or the server.
	listeners sync.WaitGroup
	// broken gets why the daemon cannot go on.
	broken chan error
}

// Run is ibctl serve. It ends when ctx does, in order: what that takes is bounded
// by the configuration, and cut short when hasten ends. A nil error means that
// everything let go of its own accord, or as it was told to.
func Run(ctx, hasten context.Context, opts Options) error {
	opts = opts.withDefaults()
	conf, err := opts.Configure()
	if err != nil {
		return err
	}
	place, err := takePlace(opts)
	if err != nil {
		return err
	}
	defer place.close()
	dir, err := takeRunDir(opts.RunDir)
	if err != nil {
		return fmt.Errorf("run directory: %w", err)
	}
	defer dir.close()
	sock, err := listen(opts, dir, conf.Group)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer sock.close()
	d, err := newDaemon(opts, conf, dir)
	if err != nil {
		return err
	}
	defer d.close()
	return d.run(ctx, hasten, conf, dir, sock)
}

// takePlace makes sure that no other daemon drives the devices. Where somebody has
// the name who is none, the lock of the run directory has to do.
func takePlace(opts Options) (*name, error) {
	if opts.Root != "" {
		return nil, nil // these devices are nobody's
	}
	n, err := takeName(opts.place, uint32(os.Geteuid()))
	if errors.Is(err, errStranger) {
		opts.Log.Warn("a second ibctl serve may go unnoticed", "error", err)
		return nil, nil
	}
	return n, err
}

func newDaemon(opts Options, conf config.Config, dir *runDir) (*daemon, error) {
	d := &daemon{
		Options:  opts,
		started:  time.Now(),
		limit:    cmp.Or(conf.Limits.Stop, stopLimit),
		registry: core.NewRegistry(core.Options{EventLog: registryEvents}),
		journal:  journal.New(cmp.Or(conf.Events, keptEvents)),
		broken:   make(chan error, 1),
		records:  &records{Store: opts.Drained},
	}
	d.complaints = newComplaints(d.Log, d.journal)
	d.clients = &clients{registry: d.registry, journal: d.journal}
	var errs [3]error
	d.full, errs[0] = host.Open(host.Options{Root: opts.Root})
	d.summary, errs[1] = host.Open(host.Options{Root: opts.Root, Detail: host.Summary})
	d.clients.supervisor, errs[2] = supervisor.New(supervisor.Config{
		Limits:   limitsOf(conf.Limits),
		Log:      d.Log,
		Devices:  func(context.Context) ([]core.Device, error) { return d.registry.Devices(), nil },
		OnEvent:  d.clients.reported,
		OnChange: d.clients.entered,
		RunDir:   dir.join("plugins"),
		Sole:     true,
	})
	if err := errors.Join(errs[:]...); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// close gives back what newDaemon took.
func (d *daemon) close() {
	for _, h := range []*host.Host{d.full, d.summary} {
		if h != nil {
			_ = h.Close()
		}
	}
	if s := d.clients.supervisor; s != nil {
		s.Close()
	}
}

// run is the life of the daemon, from the first answer to the last.
func (d *daemon) run(ctx, hasten context.Context, conf config.Config, dir *runDir, sock *socket) error {
	d.journal.Append(journal.Event{Kind: journal.DaemonStarted, PID: os.Getpid(), Text: d.Version})
	stopRecording := d.record()
	defer stopRecording()
	server := d.newServer(rights{own: uint32(os.Geteuid()), gid: sock.gid, log: d.Log})
	serve := func(l net.Listener) { d.serve(server, l) }
	serve(sock.UnixListener)
	defer d.keepReachable(dir, sock, serve)()

	stopFollowing, synced := d.follow()
	failure := d.loadAll(ctx, conf)
	if failure == nil {
		failure = d.awaitEnd(ctx, synced)
	}
	d.Notify(notifyStopping)
	d.journal.Append(journal.Event{Kind: journal.DaemonStopping, PID: os.Getpid()})
	stopFollowing()
	failure = errors.Join(failure, d.letGo(hasten))
	stopRecording()
	d.journal.Close()
	d.sayFarewell(server)
	return failure
}

// serve answers at a socket, beside others, until the server is stopped.
func (d *daemon) serve(server *grpc.Server, l net.Listener) {
	d.listeners.Go(func() {
		if err := server.Serve(newCrowd(l, uint32(os.Geteuid()))); err != nil {
			d.fail(fmt.Errorf("serve: %w", err))
		}
	})
}

// fail ends the daemon, in order. The first reason counts.
func (d *daemon) fail(why error) {
	select {
	case d.broken <- why:
	default:
	}
}

// awaitEnd says when the daemon is ready, and returns when it is to end.
func (d *daemon) awaitEnd(ctx context.Context, synced <-chan struct{}) error {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	select {
	case <-synced:
	case <-limit.C:
		d.Log.Warn("not all devices are served yet; going on without them", "waited", readyLimit)
	case <-ctx.Done():
		return nil
	case err := <-d.broken:
		return err
	}
	d.Log.Info("ready", "devices", len(d.registry.Devices()), "clients", d.registry.Clients())
	d.Notify(notifyReady)
	defer d.watch()()
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.broken:
		return err
	}
}

// letGo takes the clients off the devices, and the devices off the registry.
func (d *daemon) letGo(hasten context.Context) error {
	hasten, cancel := context.WithTimeoutCause(hasten, d.limit, fmt.Errorf("the limit for stopping has passed (%v)", d.limit))
	defer cancel()
	d.clients.close(hasten)
	var errs []error
	for _, dev := range slices.Concat(d.registry.Devices(), d.registry.Drained()) {
		errs = append(errs, d.registry.UnregisterDevice(context.Background(), dev.ID))
	}
	return errors.Join(errs...)
}

// sayFarewell lets callers read what is left for them, and closes.
func (d *daemon) sayFarewell(server *grpc.Server) {
	timer := time.AfterFunc(farewell, server.Stop)
	defer timer.Stop()
	server.GracefulStop()
	d.listeners.Wait()
}

// record copies the registry's events into the journal until stop is called,
// which may be done twice.
func (d *daemon) record() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var recording sync.WaitGroup
	recorder := journal.NewRecorder(d.registry, d.journal)
	recording.Go(func() { recorder.Run(ctx) })
	return func() {
		cancel()
		recording.Wait()
	}
}
