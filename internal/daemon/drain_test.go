package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/drained"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// gated is a client whose Add and Remove wait while there is a file: the name of the
// method, in the directory that it is configured with. A question has an answer, and
// no end.
type gated struct {
	rocev1.UnimplementedRoCEServer
	dir string
}

func (*gated) Name() string { return "gated" }

func (g *gated) Configure(_ context.Context, _ *plugin.Host, config []byte) error {
	return json.Unmarshal(config, &g.dir)
}

func (g *gated) Add(context.Context, *plugin.Device) (any, error) {
	g.wait("add")
	return nil, nil
}

func (g *gated) Remove(context.Context, *plugin.Device) error {
	g.wait("remove")
	return nil
}

func (g *gated) RegisterServices(r grpc.ServiceRegistrar, _ *plugin.Devices) {
	rocev1.RegisterRoCEServer(r, g)
}

func (g *gated) ListGIDs(_ *rocev1.ListGIDsRequest, stream grpc.ServerStreamingServer[rocev1.PortGIDs]) error {
	if err := stream.Send(&rocev1.PortGIDs{}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (g *gated) wait(method string) {
	for {
		if _, err := os.Stat(filepath.Join(g.dir, method)); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// bed is a daemon with the clients picky and gated on the device rxe0, #7.
type bed struct {
	*running
	*api.Conn
	t     *testing.T
	gates string
	store drained.Store
	reg   host.Registry
}

var rxe0 = rdma.Device{Name: "rxe0", Index: rdma.Known(uint32(7))}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, gates: t.TempDir()}
	b.store = drained.Open(filepath.Join(b.gates, "drained"))
	b.start()
	return b
}

// start starts a daemon on what is there.
func (b *bed) start() {
	b.t.Helper()
	b.running = start(b.t, func(r *running) {
		r.opts.Recheck, r.opts.Root, r.opts.Drained, r.opts.Builtin = recheckSoon, "", b.store, append(r.opts.Builtin, "gated")
		r.opts.source = func(ctx context.Context, reg host.Registry, synced func()) {
			b.reg = reg
			if _, err := reg.RegisterDevice(ctx, rxe0); err != nil {
				b.t.Error(err)
			}
			synced()
		}
		r.opts.Spec = func(c config.Client, _ config.Config) (supervisor.Spec, error) {
			s := supervisor.Spec{Name: c.Name}
			if c.Name == "gated" {
				s.Config, _ = json.Marshal(b.gates) // a string
			}
			return s, nil
		}
	}, "picky", "gated")
	b.Conn = b.dial(b.t)
	b.t.Cleanup(func() { b.open("add"); b.open("remove") })
}

// shut has a method of gated wait until open is called.
func (b *bed) shut(method string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.gates, method), nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) open(method string) { _ = os.Remove(filepath.Join(b.gates, method)) }

// on lists clients on rxe0, in order, with their states.
func (b *bed) on() (list []string) {
	b.t.Helper()
	reply, err := b.ListClients(b.t.Context(), &apiv1.ListClientsRequest{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range reply.GetClients() {
		for _, a := range c.GetDevices() {
			list = append(list, c.GetName()+" "+a.GetState())
		}
	}
	return list
}

func (b *bed) becomes(what string, want ...string) {
	b.t.Helper()
	var last []string
	defer func() {
		if !slices.Equal(last, want) {
			b.t.Logf("on it: %q, want %q", last, want)
		}
	}()
	eventually(b.t, what, func() bool { last = b.on(); return slices.Equal(last, want) })
}

func (b *bed) inService(what string) {
	b.t.Helper()
	b.becomes(what, "picky attached", "gated attached")
	if _, is, err := b.store.Get(rxe0); is || err != nil {
		b.t.Errorf("%s: the record says drained %v, %v", what, is, err)
	}
}

func (b *bed) outOfService(what string) {
	b.t.Helper()
	b.becomes(what)
	if _, is, err := b.store.Get(rxe0); !is || err != nil {
		b.t.Errorf("%s: the record says drained %v, %v", what, is, err)
	}
}

// talk is a conversation about a drain.
type talk struct {
	t      *testing.T
	stream interface {
		Send(*apiv1.DrainRequest) error
		Recv() (*apiv1.DrainResponse, error)
	}
	hangUp context.CancelFunc
}

func (b *bed) drain() *talk {
	b.t.Helper()
	ctx, hangUp := context.WithCancel(b.t.Context())
	stream, err := b.Drain(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	t := &talk{b.t, stream, hangUp}
	t.say(&apiv1.DrainRequest{Say: &apiv1.DrainRequest_Begin{Begin: &apiv1.KernelDevice{Index: 7}}})
	return t
}

func (t *talk) say(m *apiv1.DrainRequest) {
	t.t.Helper()
	if err := t.stream.Send(m); err != nil {
		t.t.Fatal(err)
	}
}

// off returns the message that the clients are off, and those before it.
func (t *talk) off() (off *apiv1.ClientsOff, before []*apiv1.DrainWait) {
	t.t.Helper()
	for {
		m, err := t.stream.Recv()
		switch {
		case err != nil:
			t.t.Fatalf("before the clients are off: %v", err)
		case m.GetClientsOff() != nil:
			return m.GetClientsOff(), before
		}
		before = append(before, m.GetWaiting())
	}
}

// verdict ends the conversation, and returns what came of it.
func (t *talk) verdict(v *apiv1.Verdict) error {
	t.t.Helper()
	t.say(&apiv1.DrainRequest{Say: &apiv1.DrainRequest_Verdict{Verdict: v}})
	return t.end()
}

func (t *talk) end() error {
	for {
		if _, err := t.stream.Recv(); err != nil {
			return err
		}
	}
}

func (b *bed) undrain() (bool, error) {
	reply, err := b.Undrain(b.t.Context(), &apiv1.UndrainRequest{Device: &apiv1.KernelDevice{Index: 7}})
	return reply.GetWasDrained(), err
}

var keep = &apiv1.Verdict{Keep: true}

// isBusy tells whether err says that somebody else is at work.
func isBusy(err error) bool {
	return errors.Is(err, syscall.EBUSY) && status.Code(err) == codes.Unavailable
}

// A drain says who was removed, in that order, and lasts until it is ended.
func TestDrainAndUndrain(t *testing.T) {
	b := newBed(t)
	d := b.drain()
	if off, _ := d.off(); off.GetWasDrained() || !slices.Equal(off.GetClients(), []string{"gated", "picky"}) {
		t.Errorf("off: %v", off)
	}
	if err := d.verdict(keep); err.Error() != "EOF" {
		t.Fatal(err)
	}
	b.outOfService("drained")

	d = b.drain()
	if off, _ := d.off(); !off.GetWasDrained() || len(off.GetClients()) > 0 {
		t.Errorf("drained again: %v", off)
	}
	if err := d.verdict(&apiv1.Verdict{Failed: pluginv1.NewError(syscall.EBUSY)}); err == nil {
		t.Error("a failure ends well")
	}
	b.outOfService("a failure of what it was drained for later")

	for _, want := range []bool{true, false} {
		if was, err := b.undrain(); was != want || err != nil {
			t.Errorf("undrain: was drained %v, %v", was, err)
		}
		b.inService("undrained")
	}
}

// Whoever is waited for is named, again and again.
func TestDrainTellsWhoIsWaitedFor(t *testing.T) {
	b := newBed(t)
	b.shut("remove")
	d := b.drain()
	m, err := d.stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if w := m.GetWaiting().GetClients(); len(w) != 1 || w[0].GetName() != "gated" || int(w[0].GetPid()) != pidOf(t, b.running, "gated") {
		t.Errorf("waiting for %v", m)
	}
	b.open("remove")
	d.off()
	if err := d.verdict(keep); err.Error() != "EOF" {
		t.Error(err)
	}
}

// So is who still asks the client something, until he has gone.
func TestDrainTellsWhoIsAnswered(t *testing.T) {
	b := newBed(t)
	ctx, hangUp := context.WithCancel(t.Context())
	endless, err := rocev1.NewRoCEClient(b.Client("gated")).ListGIDs(ctx, &rocev1.ListGIDsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := endless.Recv(); err != nil {
		t.Fatal(err)
	}
	b.shut("remove")
	d := b.drain()
	answers := func() []string {
		m, err := d.stream.Recv()
		if err != nil || len(m.GetWaiting().GetClients()) != 1 {
			t.Fatalf("waiting for %v, %v", m, err)
		}
		return m.GetWaiting().GetClients()[0].GetAnswers()
	}
	want := fmt.Sprintf("process %d (ibctl.roce.v1.RoCE/ListGIDs)", os.Getpid())
	if got := answers(); !slices.Equal(got, []string{want}) {
		t.Errorf("waiting for one that answers %q, want %s", got, want)
	}
	hangUp()
	eventually(t, "the call to end", func() bool { return len(answers()) == 0 })
	b.open("remove")
	d.off()
	d.hangUp()
}

// Who fails, or goes away in the midst of it, leaves the device in service: before
// the clients are off, and after.
func TestDrainGivenUp(t *testing.T) {
	b := newBed(t)
	in := errors.New("ib_write_bw (pid 204) is in the way")
	for what, give := range map[string]func(*talk){
		"a failure": func(d *talk) {
			if err := d.verdict(&apiv1.Verdict{Failed: pluginv1.NewError(in)}); err == nil || !strings.Contains(err.Error(), in.Error()) {
				t.Errorf("it ends with %v", err)
			}
		},
		"a caller that goes away": func(d *talk) { d.hangUp(); _ = d.end() },
	} {
		b.shut("remove")
		d := b.drain()
		b.becomes("Remove to begin", "picky attached", "gated removing")
		time.AfterFunc(50*time.Millisecond, func() { b.open("remove") })
		give(d)
		b.inService(what + " while Remove runs")

		d = b.drain()
		d.off()
		give(d)
		b.inService(what + " when the clients are off")
	}
}

// One at a time is at work on a device, be it drained already.
func TestDrainOneAtATime(t *testing.T) {
	b := newBed(t)
	refused := func(what string) {
		t.Helper()
		if err := b.drain().end(); !isBusy(err) {
			t.Errorf("%s: a second drain ends with %v", what, err)
		}
		if _, err := b.undrain(); !isBusy(err) {
			t.Errorf("%s: undrain ends with %v", what, err)
		}
	}
	b.shut("remove")
	d := b.drain()
	b.becomes("Remove to begin", "picky attached", "gated removing")
	refused("while Remove runs")
	b.open("remove")
	d.off()
	refused("when the clients are off")
	if err := d.verdict(keep); err.Error() != "EOF" {
		t.Fatal(err)
	}
	d = b.drain()
	d.off()
	refused("on a drained device")
	b.outOfService("after all that")
	d.hangUp()
}

// A client that is loaded meanwhile stays off, and one that is unloaded is not waited
// for any longer than it takes.
func TestDrainWhileClientsComeAndGo(t *testing.T) {
	b := newBed(t)
	b.shut("remove")
	d := b.drain()
	b.becomes("Remove to begin", "picky attached", "gated removing")
	done := make(chan error, 2)
	go func() {
		_, err := b.UnloadClient(context.Background(), &apiv1.UnloadClientRequest{Name: "gated"})
		done <- err
	}()
	go func() {
		_, err := b.LoadClient(context.Background(), &apiv1.LoadClientRequest{Name: "chatty"})
		done <- err
	}()
	time.AfterFunc(50*time.Millisecond, func() { b.open("remove") })
	d.off()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := d.verdict(keep); err.Error() != "EOF" {
		t.Fatal(err)
	}
	b.outOfService("drained")
	if _, err := b.LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: "gated"}); err != nil {
		t.Fatal(err)
	}
	b.outOfService("loaded anew")
	if _, err := b.undrain(); err != nil {
		t.Fatal(err)
	}
	b.becomes("undrained", "picky attached", "chatty attached", "gated attached")

	// An Add that has begun is over before its Remove begins.
	if _, err := b.UnloadClient(t.Context(), &apiv1.UnloadClientRequest{Name: "gated"}); err != nil {
		t.Fatal(err)
	}
	b.shut("add")
	loaded := make(chan error, 1)
	go func() {
		_, err := b.LoadClient(context.Background(), &apiv1.LoadClientRequest{Name: "gated"})
		loaded <- err
	}()
	b.becomes("Add to begin", "picky attached", "chatty attached", "gated adding")
	d = b.drain()
	time.AfterFunc(50*time.Millisecond, func() { b.open("add") })
	d.off()
	b.becomes("off")
	if err := <-loaded; err != nil {
		t.Error(err)
	}
	d.hangUp()
	b.becomes("given up", "picky attached", "chatty attached", "gated attached")
}

// A drain that the daemon's end overtakes is none, and the next start knows it.
func TestDrainWhileTheDaemonStops(t *testing.T) {
	b := newBed(t)
	d := b.drain()
	d.off()
	b.end(t)
	if err := d.end(); status.Code(err) == codes.OK {
		t.Errorf("it ends with %v", err)
	}
	b.start()
	b.inService("the next start")

	b.shut("remove")
	d = b.drain()
	b.becomes("Remove to begin", "picky attached", "gated removing")
	time.AfterFunc(50*time.Millisecond, func() { b.open("remove") })
	b.end(t)
	if err := d.end(); status.Code(err) == codes.OK {
		t.Errorf("it ends with %v", err)
	}
	b.start()
	b.inService("the start after that")
}

// What is drained stays so over a restart, and ends with the device.
func TestDrainLasts(t *testing.T) {
	b := newBed(t)
	d := b.drain()
	d.off()
	if err := d.verdict(keep); err.Error() != "EOF" {
		t.Fatal(err)
	}
	b.end(t)
	b.start()
	b.outOfService("a restart")
	list := b.reg.(keeper).Drained()
	if len(list) != 1 {
		t.Fatalf("drained: %v", list)
	}
	if err := b.reg.UnregisterDevice(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, is, err := b.store.Get(rxe0); is || err != nil {
		t.Errorf("it is gone, and drained %v, %v", is, err)
	}
	if err := b.drain().end(); status.Code(err) != codes.NotFound || !errors.Is(err, syscall.ENODEV) {
		t.Errorf("drain what is gone: %v", err)
	}
}

// So it does where somebody has removed the records along with everything else.
func TestDrainLastsWithoutItsRecord(t *testing.T) {
	b := newBed(t)
	d := b.drain()
	d.off()
	if err := d.verdict(keep); err.Error() != "EOF" {
		t.Fatal(err)
	}
	b.end(t)
	b.start() // it knows it by the record
	before, _, _ := b.store.Get(rxe0)
	if err := errors.Join(os.RemoveAll(filepath.Join(b.gates, "drained")), os.RemoveAll(b.opts.RunDir)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record to be back", func() bool {
		after, is, err := b.store.Get(rxe0)
		return is && err == nil && after == before
	})
	if _, err := b.undrain(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.opts.RunDir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the run directory to be back", func() bool {
		_, err := os.Stat(b.opts.RunDir)
		return err == nil
	})
	b.inService("undrained")
}

// A device that goes while the verdict is on its way leaves no record.
func TestDrainOfADeviceThatGoes(t *testing.T) {
	b := newBed(t)
	d := b.drain()
	d.off()
	if err := b.reg.UnregisterDevice(t.Context(), b.reg.(keeper).Drained()[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := d.verdict(keep); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("it ends with %v", err)
	}
	if _, is, err := b.store.Get(rxe0); is || err != nil {
		t.Errorf("drained %v, %v", is, err)
	}
}

// Where the record cannot be written, or removed, the device stays as it was.
func TestDrainWithoutARecord(t *testing.T) {
	b := newBed(t)
	records := filepath.Join(b.gates, "drained")
	if err := os.WriteFile(records, nil, 0o600); err != nil { // in place of the directory
		t.Fatal(err)
	}
	d := b.drain()
	d.off()
	if err := d.verdict(keep); err == nil || !strings.Contains(err.Error(), "remember that rxe0 is drained: ") || !strings.Contains(err.Error(), records) {
		t.Errorf("it ends with %v", err)
	}
	b.becomes("not remembered", "picky attached", "gated attached")
	if err := os.Remove(records); err != nil {
		t.Fatal(err)
	}
	d = b.drain()
	d.off()
	if err := d.verdict(keep); err.Error() != "EOF" {
		t.Fatal(err)
	}
	record := filepath.Join(records, "7")
	if err := errors.Join(os.Remove(record), os.Mkdir(record, 0o700), os.WriteFile(filepath.Join(record, "x"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.undrain(); err == nil || !strings.Contains(err.Error(), record) {
		t.Errorf("undrain ends with %v", err)
	}
	b.becomes("not forgotten")
}

// Nobody drains who may not, or does not say what.
func TestDrainRefuses(t *testing.T) {
	b := newBed(t)
	d := &talk{t: t}
	d.stream, _ = b.Drain(t.Context())
	if err := d.verdict(keep); status.Code(err) != codes.InvalidArgument {
		t.Errorf("without a device: %v", err)
	}
	for _, method := range []string{"Drain", "Undrain"} {
		if api.ReadOnly("/ibctl.api.v1.Daemon/" + method) {
			t.Errorf("%s is for those who may only read", method)
		}
	}
	b.inService("after all that")
	tree := start(t, nil, "picky").dial(t)
	if _, err := tree.Undrain(t.Context(), &apiv1.UndrainRequest{}); !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Errorf("in a captured tree: %v", err)
	}
}
