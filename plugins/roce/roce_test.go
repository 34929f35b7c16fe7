package roce_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
	"github.com/ibctl/ibctl/plugins/roce"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// TestMain lets the test binary be the plugin process, as ibctl is its own.
func TestMain(m *testing.M) {
	if _, serving := plugin.ServeName(os.Args); serving {
		plugin.Serve(roce.New())
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	defaultGID = "fe80:0000:0000:0000:5054:00ff:fe12:3456"
	ipv4GID    = "0000:0000:0000:0000:0000:ffff:0a00:0001"
	zeroGID    = "0000:0000:0000:0000:0000:0000:0000:0000"
)

// table is a port's tree: slots, of which index → GID are in use.
func table(device string, port, slots int, used map[int]string) sysfstest.Tree {
	tree := sysfstest.Tree{}
	for i := range slots {
		n := fmt.Sprint(i)
		tree["gids/"+n] = zeroGID + "\n"
		if gid, ok := used[i]; ok {
			tree["gids/"+n] = gid + "\n"
			tree["gid_attrs/types/"+n] = "RoCE v2\n"
			tree["gid_attrs/ndevs/"+n] = "eth0\n"
		}
	}
	return tree.Under(fmt.Sprintf("class/infiniband/%s/ports/%d", device, port))
}

// client is a registry with the roce client on it, in a process that reads a tree.
type client struct {
	registry *core.Registry
	plugin   *supervisor.Plugin
	rocev1.RoCEClient
}

func start(t *testing.T, root string) *client {
	t.Helper()
	// t.TempDir's path may be too long for a socket.
	dir, err := os.MkdirTemp("", "roce")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	sup, err := supervisor.New(supervisor.Config{RunDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sup.Close)
	spec := supervisor.Builtin(roce.Name)
	if spec.Config, err = json.Marshal(roce.Config{Root: root}); err != nil {
		t.Fatal(err)
	}
	p, err := sup.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	reg := core.NewRegistry(core.Options{})
	if err := reg.RegisterClient(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return &client{reg, p, rocev1.NewRoCEClient(p.Conn())}
}

func (c *client) register(t *testing.T, name string, ports ...uint32) core.ID {
	t.Helper()
	info := rdma.Device{Name: name}
	for _, n := range ports {
		info.Ports = append(info.Ports, rdma.Port{Number: n, LinkLayer: rdma.LinkLayerEthernet})
	}
	id, err := c.registry.RegisterDevice(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// list asks, and flattens the answer.
func (c *client) list(t *testing.T, id core.ID, req *rocev1.ListGIDsRequest) ([]rdma.GIDEntry, []rdma.Warning, error) {
	t.Helper()
	req.Device = c.plugin.DeviceID(id)
	stream, err := c.ListGIDs(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var entries []rdma.GIDEntry
	var warnings []rdma.Warning
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return entries, warnings, nil
		} else if err != nil {
			return entries, warnings, err
		}
		more, err := answer.Entries()
		if err != nil {
			t.Fatal(err)
		}
		entries, warnings = append(entries, more...), append(warnings, answer.RDMAWarnings()...)
	}
}

func entry(t *testing.T, port, index uint32, gid string, isDefault bool) rdma.GIDEntry {
	t.Helper()
	g, err := rdma.ParseGID(gid)
	if err != nil {
		t.Fatal(err)
	}
	return rdma.GIDEntry{Device: "mlx5_0", Port: port, Index: index, GID: g,
		Type: rdma.GIDTypeRoCEv2, Netdev: "eth0", Default: rdma.Known(isDefault)}
}

func TestListGIDs(t *testing.T) {
	root := sysfstest.Join(
		table("mlx5_0", 1, 8, map[int]string{0: defaultGID, 5: ipv4GID}),
		table("mlx5_0", 2, 4, map[int]string{0: defaultGID}),
	).Write(t)
	c := start(t, root)
	id := c.register(t, "mlx5_0", 2, 1)
	port1, port2, slot5, slot1 := uint32(1), uint32(2), uint32(5), uint32(1)
	tests := []struct {
		what string
		req  *rocev1.ListGIDsRequest
		want []rdma.GIDEntry
	}{
		{"all, by port, holes left out", &rocev1.ListGIDsRequest{}, []rdma.GIDEntry{
			entry(t, 1, 0, defaultGID, true), entry(t, 1, 5, ipv4GID, false), entry(t, 2, 0, defaultGID, true)}},
		{"a port", &rocev1.ListGIDsRequest{Port: &port2}, []rdma.GIDEntry{entry(t, 2, 0, defaultGID, true)}},
		{"a slot", &rocev1.ListGIDsRequest{Port: &port1, Index: &slot5}, []rdma.GIDEntry{entry(t, 1, 5, ipv4GID, false)}},
		{"an empty slot", &rocev1.ListGIDsRequest{Port: &port1, Index: &slot1}, nil},
		{"an empty slot, asked for", &rocev1.ListGIDsRequest{Port: &port1, Index: &slot1, IncludeEmpty: true}, []rdma.GIDEntry{
			{Device: "mlx5_0", Port: 1, Index: 1, Default: rdma.Known(false)}}},
	}
	for _, tt := range tests {
		got, warnings, err := c.list(t, id, tt.req)
		if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, warnings %v, %v; want %+v", tt.what, got, warnings, err, tt.want)
		}
	}
}

func TestListGIDsRefuses(t *testing.T) {
	root := table("mlx5_0", 1, 8, map[int]string{0: defaultGID}).Write(t)
	c := start(t, root)
	id := c.register(t, "mlx5_0", 1)
	port1, port9, slot := uint32(1), uint32(9), uint32(8)
	tests := []struct {
		what string
		id   core.ID
		req  *rocev1.ListGIDsRequest
		want codes.Code
	}{
		{"a port that is not there", id, &rocev1.ListGIDsRequest{Port: &port9}, codes.NotFound},
		{"a slot that is not there", id, &rocev1.ListGIDsRequest{Port: &port1, Index: &slot}, codes.NotFound},
		{"a slot of no port", id, &rocev1.ListGIDsRequest{Index: &slot}, codes.InvalidArgument},
		{"an unknown device", core.ID{Index: 7, Generation: 99}, &rocev1.ListGIDsRequest{}, codes.NotFound},
	}
	for _, tt := range tests {
		if _, _, err := c.list(t, tt.id, tt.req); status.Code(err) != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
	if err := c.registry.UnregisterDevice(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.list(t, id, &rocev1.ListGIDsRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a removed device: %v, want %v", err, codes.FailedPrecondition)
	}
}

// One port that can't be read costs that port alone.
func TestUnreadablePortIsAWarning(t *testing.T) {
	root := table("mlx5_0", 2, 4, map[int]string{0: defaultGID}).Write(t)
	c := start(t, root)
	id := c.register(t, "mlx5_0", 1, 2)
	got, warnings, err := c.list(t, id, &rocev1.ListGIDsRequest{})
	if err != nil || !reflect.DeepEqual(got, []rdma.GIDEntry{entry(t, 2, 0, defaultGID, true)}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if len(warnings) != 1 || warnings[0].Object != "mlx5_0/1" {
		t.Errorf("warnings %v, want one for mlx5_0/1", warnings)
	}
}

func TestAddOfAVanishedDeviceFails(t *testing.T) {
	root := table("mlx5_0", 1, 1, nil).Write(t)
	c := start(t, root)
	id := c.register(t, "mlx5_9", 1)
	if list := c.registry.Attachments(); len(list) != 1 || list[0].State != core.AttachFailed {
		t.Fatalf("attachments %+v, want one that failed", list)
	} else if !strings.Contains(list[0].Err.Error(), "mlx5_9") {
		t.Errorf("error %q does not name the device", list[0].Err)
	}
	if err := c.registry.UnregisterDevice(t.Context(), id); err != nil {
		t.Errorf("unregister: %v", err)
	}
}

// Remove gives back all that Add took: the plugin's descriptors tell.
func TestRemoveDropsEverything(t *testing.T) {
	root := table("mlx5_0", 1, 8, map[int]string{0: defaultGID}).Write(t)
	c := start(t, root)
	descriptors := func() int {
		list, err := os.ReadDir(filepath.Join("/proc", fmt.Sprint(c.plugin.PID()), "fd"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	cycle := func() {
		id := c.register(t, "mlx5_0", 1)
		if _, _, err := c.list(t, id, &rocev1.ListGIDsRequest{}); err != nil {
			t.Fatal(err)
		}
		if err := c.registry.UnregisterDevice(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	cycle() // the runtime opens what it keeps
	before := descriptors()
	for range 50 {
		cycle()
	}
	if after := descriptors(); after > before {
		t.Errorf("%d descriptors before 50 cycles, %d after", before, after)
	}
}
