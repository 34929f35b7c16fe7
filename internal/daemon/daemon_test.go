package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

func TestHello(t *testing.T) {
	conn := start(t, nil).dial(t)
	hello, err := conn.Hello(t.Context(), &apiv1.HelloRequest{})
	if err != nil {
		t.Fatal(err)
	}
	own, err := api.NetworkNamespace()
	if err != nil {
		t.Fatal(err)
	}
	there := api.Namespace{Device: hello.GetNetnsDevice(), Inode: hello.GetNetnsInode()}
	if hello.GetVersion() != "test" || int(hello.GetPid()) != os.Getpid() || there != own || !hello.GetMayChange() {
		t.Errorf("hello %v", hello)
	}
}

func TestListDevicesAndAskAClient(t *testing.T) {
	conn := start(t, nil, "roce").dial(t)
	list, err := conn.ListDevices(t.Context(), &apiv1.ListDevicesRequest{Full: true})
	if err != nil || len(list.GetDevices()) != 2 {
		t.Fatalf("devices %v, %v", list, err)
	}
	for _, d := range list.GetDevices() {
		stream, err := rocev1.NewRoCEClient(conn.Client("roce")).ListGIDs(t.Context(), &rocev1.ListGIDsRequest{Device: d.GetId()})
		tables, err := receive(t, stream, err)
		if err != nil || len(tables) != 1 || tables[0].GetDevice() != d.GetDevice().GetName() || len(tables[0].GetGids()) != 1 {
			t.Errorf("%s: tables %v, %v", d.GetDevice().GetName(), tables, err)
		}
	}
}

func TestClientsRefusalsArrive(t *testing.T) {
	conn := start(t, nil, "roce").dial(t)
	stream, err := rocev1.NewRoCEClient(conn.Client("roce")).ListGIDs(t.Context(), &rocev1.ListGIDsRequest{Device: &pluginv1.DeviceID{Epoch: 1, Generation: 1}})
	if _, err = receive(t, stream, err); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("an id of another epoch: %v", err)
	}
	stream, err = rocev1.NewRoCEClient(conn.Client("none")).ListGIDs(t.Context(), &rocev1.ListGIDsRequest{})
	if _, err = receive(t, stream, err); status.Code(err) != codes.NotFound {
		t.Errorf("a client that is not there: %v", err)
	}
	stream, err = rocev1.NewRoCEClient(conn).ListGIDs(t.Context(), &rocev1.ListGIDsRequest{})
	if _, err = receive(t, stream, err); status.Code(err) != codes.Unimplemented {
		t.Errorf("no client named: %v", err)
	}
	if _, err := pluginv1.NewPluginClient(conn.Client("roce")).Info(t.Context(), &pluginv1.InfoRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("the plugin's own contract: %v", err)
	}
}

func TestListClients(t *testing.T) {
	conn := start(t, nil, "roce", "picky", "broken").dial(t)
	reply, err := conn.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range reply.GetClients() {
		text := c.GetName()
		if c.GetPid() != 0 && c.GetGuarantee() != "" {
			text += " runs"
		}
		if e := c.GetLastError().Err(); e != nil && strings.Contains(e.Error(), "no such luck") {
			text += " said why not"
		}
		for _, a := range c.GetDevices() {
			text += " " + a.GetDevice() + ":" + a.GetState()
			if e := a.GetError().Err(); e != nil {
				text += "(" + e.Error() + ")"
			}
		}
		got = append(got, text)
	}
	want := []string{
		"roce runs mlx5_0:attached mlx5_1:attached",
		"picky runs mlx5_0:attached mlx5_1:failed(plugin picky: add mlx5_1: not this one)",
		"broken said why not",
	}
	if !slices.Equal(got, want) {
		t.Errorf("clients\n%q, want\n%q", got, want)
	}
}

func TestUnloadAndLoad(t *testing.T) {
	r := start(t, nil, "roce")
	conn := r.dial(t)
	before, err := conn.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	pid := before.GetClients()[0].GetPid()
	if _, err := conn.UnloadClient(t.Context(), &apiv1.UnloadClientRequest{Name: "roce"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join("/proc", itoa(pid))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unloaded, and process %d is there: %v", pid, err)
	}
	if _, err := conn.UnloadClient(t.Context(), &apiv1.UnloadClientRequest{Name: "roce"}); status.Code(err) != codes.NotFound {
		t.Errorf("unloaded twice: %v", err)
	}
	for _, name := range []string{"roce", "picky"} {
		if _, err := conn.LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: name}); err != nil {
			t.Errorf("load %s: %v", name, err)
		}
	}
	if _, err := conn.LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: "roce"}); status.Code(err) != codes.AlreadyExists {
		t.Errorf("loaded twice: %v", err)
	}
	if _, err := conn.LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: "acme"}); status.Code(err) != codes.NotFound {
		t.Errorf("unknown client: %v", err)
	}
}

// What the configuration says at the time counts, and a client that does not run
// is an answer with its reason.
// TestLoadedBeforeItsTurn: callers are answered while the configured clients are
// loaded one by one, and may load one before its turn comes.
func TestLoadedBeforeItsTurn(t *testing.T) {
	var early error
	r := start(t, func(r *running) {
		of := r.opts.Spec
		r.opts.Spec = func(c config.Client, conf config.Config) (supervisor.Spec, error) {
			if c.Name == "roce" {
				_, early = r.dial(t).LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: "picky"})
			}
			return of(c, conf)
		}
	}, "roce", "picky")
	if early != nil {
		t.Errorf("a caller's load: %v", early)
	}
	reply, err := r.dial(t).ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || len(reply.GetClients()) != 2 {
		t.Errorf("clients %v, %v", reply, err)
	}
}

func TestLoadReadsTheConfigurationAnew(t *testing.T) {
	r := start(t, nil)
	conn := r.dial(t)
	bad := filepath.Join(t.TempDir(), "acme")
	if err := os.WriteFile(bad, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(bad, 0o777); err != nil {
		t.Fatal(err)
	}
	r.conf.Clients = append(r.conf.Clients, config.Client{Name: "acme", Path: bad})
	_, err := conn.LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: "acme"})
	if err == nil || !strings.Contains(err.Error(), "may be written by group or others") {
		t.Errorf("a plugin that anybody may write: %v", err)
	}
}

func TestEventsToldInOrder(t *testing.T) {
	conn := start(t, nil, "picky").dial(t)
	if _, err := conn.UnloadClient(t.Context(), &apiv1.UnloadClientRequest{Name: "picky"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	eventually(t, "the last event", func() bool {
		got = events(t, conn)
		return slices.Contains(got, "plugin-stopped  picky ") && slices.Contains(got, "client-unregistered  picky ")
	})
	for _, want := range []string{
		"daemon-started   ", "plugin-started  picky ", "client-reported mlx5_0 picky ",
		"client-added mlx5_0 picky ", "client-added mlx5_1 picky plugin picky: add mlx5_1: not this one",
		"client-removed mlx5_0 picky ",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if slices.Contains(got, "client-removed mlx5_1 picky ") {
		t.Errorf("removed from a device whose Add failed: %q", got)
	}
}

// Those who watch read to the end, and see it.
func TestWatchersReadToTheEnd(t *testing.T) {
	r := start(t, nil, "roce")
	conn := r.dial(t)
	stream, err := conn.WatchEvents(t.Context(), &apiv1.WatchEventsRequest{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	r.end(t)
	all, err := receive(t, stream, nil)
	if err != nil {
		t.Errorf("at the end: %v", err)
	}
	var kinds []string
	for _, m := range all {
		kinds = append(kinds, m.GetEvent().GetKind())
	}
	want := []string{"daemon-stopping", "client-leaving", "client-removed", "client-removed", "client-unregistered", "plugin-stopped", "device-unregistered"}
	for _, kind := range want {
		if i := slices.Index(kinds, kind); i < 0 {
			t.Errorf("no %s in the rest of %q", kind, kinds)
		} else if kind != "plugin-stopped" {
			kinds = kinds[i+1:]
		}
	}
}
