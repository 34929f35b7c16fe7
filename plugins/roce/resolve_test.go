package roce_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// chosen is the slot that an answer names; -1 for none.
func chosen(a *rocev1.GIDResolution) (index int) {
	index = -1
	for _, c := range a.GetCandidates() {
		if c.GetChosen() {
			index = int(c.GetGid().GetIndex())
		}
	}
	return index
}

func TestResolveGID(t *testing.T) {
	root := sysfstest.Join(
		table("mlx5_0", 1, 8, map[int]string{0: defaultGID, 5: ipv4GID}),
		table("mlx5_0", 2, 8, map[int]string{0: defaultGID}),
	).Write(t)
	c := start(t, root)
	id := c.plugin.DeviceID(c.register(t, "mlx5_0", 1, 2))
	one, two, nine := uint32(1), uint32(2), uint32(9)
	tests := []struct {
		what string
		req  *rocev1.ResolveGIDRequest
		want int
		code codes.Code
	}{
		{"of the device", &rocev1.ResolveGIDRequest{Device: id}, 5, codes.OK},
		{"of a port", &rocev1.ResolveGIDRequest{Device: id, Port: &two}, 0, codes.OK},
		{"of an interface, on any device", &rocev1.ResolveGIDRequest{Netdev: "eth0", Port: &one}, 5, codes.OK},
		{"of another interface", &rocev1.ResolveGIDRequest{Netdev: "eth9"}, -1, codes.OK},
		{"of another type", &rocev1.ResolveGIDRequest{Device: id, Type: "IB/RoCE v1"}, -1, codes.OK},
		{"of a port that is not there", &rocev1.ResolveGIDRequest{Device: id, Port: &nine}, 0, codes.NotFound},
		{"of nothing", &rocev1.ResolveGIDRequest{}, 0, codes.InvalidArgument},
		{"to itself", &rocev1.ResolveGIDRequest{To: &rocev1.IPAddress{Ip: []byte{127, 0, 0, 1}}}, 0, codes.InvalidArgument},
		{"to no address", &rocev1.ResolveGIDRequest{To: &rocev1.IPAddress{Ip: []byte{1, 2, 3}}}, 0, codes.InvalidArgument},
		{"from a link without its interface", &rocev1.ResolveGIDRequest{From: &rocev1.IPAddress{Ip: []byte{0xfe, 0x80, 15: 1}}}, 0, codes.InvalidArgument},
	}
	for _, tt := range tests {
		answer, err := c.ResolveGID(t.Context(), tt.req)
		if status.Code(err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.code)
		}
		if err == nil && (chosen(answer) != tt.want || (answer.GetProblem() == "") != (tt.want >= 0)) {
			t.Errorf("%s: slot %d, problem %q; want slot %d", tt.what, chosen(answer), answer.GetProblem(), tt.want)
		}
	}
}

func TestACapturedTreeIsNotWatched(t *testing.T) {
	c := start(t, table("mlx5_0", 1, 1, nil).Write(t))
	stream, err := c.WatchGIDs(t.Context(), &rocev1.WatchGIDsRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
}
