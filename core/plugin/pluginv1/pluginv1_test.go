package pluginv1

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// full is a device of which everything is known.
func full() rdma.Device {
	return rdma.Device{
		Index: rdma.Known(uint32(3)), Name: "mlx5_0", NodeType: rdma.Known(rdma.NodeType(1)), Protocol: "ib",
		Firmware: "20.31.1014", NodeGUID: rdma.Known(rdma.GUID(0x98039b0300abcdef)), SysImageGUID: rdma.Known(rdma.GUID(1)),
		AdaptiveModeration: rdma.Known(false), Capabilities: []string{"SRQ_RESIZE"},
		NodeDesc: "host HCA-1", HCAType: "MT4123", BoardID: "MT_0000000224", HWRev: "0", PCIAddress: "0000:3b:00.0",
		NUMANode: rdma.Known(-1), Driver: "mlx5_core", CharDevs: []string{"/dev/infiniband/uverbs0"}, Parent: "mlx5_1", Type: "smi",
		Ports: []rdma.Port{{
			Number: 1, State: rdma.Known(rdma.PortState(4)), PhysState: rdma.Known(rdma.PhysState(5)), LinkLayer: rdma.LinkLayerEthernet,
			RateGbps: rdma.Known(2.5), Width: "4X", Speed: "HDR", LID: rdma.Known(uint32(0)), SMLID: rdma.Known(uint32(1)),
			LMC: rdma.Known(uint32(0)), SubnetPrefix: rdma.Known(rdma.GUID(0xfe80 << 48)), ActiveMTU: rdma.Known(uint32(1024)),
			MaxMTU: rdma.Known(uint32(4096)), CapMask: rdma.Known(uint32(0x2651e848)), Netdev: "eth0", NetdevIndex: rdma.Known(uint32(7)),
		}, {Number: 2}},
	}
}

// TestFullIsFull: a field that rdma.Device gains is seen here, and so is one that
// the wire does not carry.
func TestFullIsFull(t *testing.T) {
	d := full()
	for _, v := range []reflect.Value{reflect.ValueOf(d), reflect.ValueOf(d.Ports[0])} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is not set", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
}

func TestDeviceOverTheWire(t *testing.T) {
	for _, want := range []rdma.Device{full(), {}, {Name: "rxe0", Ports: []rdma.Port{{}}}} {
		wire, err := proto.Marshal(NewDevice(want))
		if err != nil {
			t.Fatal(err)
		}
		var x Device
		if err := proto.Unmarshal(wire, &x); err != nil {
			t.Fatal(err)
		}
		if got, err := x.RDMA(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestImpossibleDevices(t *testing.T) {
	absurd := uint32(math.MaxUint8 + 1)
	tests := []struct {
		device *Device
		want   string
	}{
		{nil, "no description of the device"},
		{&Device{Name: "d", NodeType: &absurd}, `device "d": node_type 256: out of range`},
		{&Device{Name: "d", Ports: []*Port{{Port: 2, State: &absurd}}}, `device "d" port 2: state 256: out of range`},
		{&Device{Name: "d", Ports: []*Port{{Port: 2, PhysicalState: &absurd}}}, `device "d" port 2: physical_state 256: out of range`},
	}
	for _, tt := range tests {
		if _, err := tt.device.RDMA(); err == nil || err.Error() != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}

func TestDeviceID(t *testing.T) {
	id := core.ID{Index: core.NoIndex, Generation: math.MaxUint64}
	x := NewDeviceID(5, id)
	if x.ID() != id || x.GetEpoch() != 5 {
		t.Errorf("%v", x)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		err  error
		text string
		code codes.Code
		is   error // that errors.Is finds on the other side
	}{
		{fmt.Errorf("open port: %w", syscall.EBUSY), "open port: device or resource busy", codes.Unknown, syscall.EBUSY},
		{errors.New("plain"), "plain", codes.Unknown, nil},
		{status.Error(codes.NotFound, "no such port"), "no such port", codes.NotFound, nil},
		{fmt.Errorf("list: %w", status.Error(codes.NotFound, "no such port")), "list: no such port", codes.NotFound, nil},
		{context.Canceled, "context canceled", codes.Canceled, context.Canceled},
		{fmt.Errorf("ask: %w", context.DeadlineExceeded), "ask: context deadline exceeded", codes.DeadlineExceeded, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		for way, got := range map[string]error{"message": NewError(tt.err).Err(), "status": FromStatus(ToStatus(tt.err)), "twice": FromStatus(ToStatus(FromStatus(ToStatus(tt.err))))} {
			if got == nil || !strings.HasSuffix(got.Error(), tt.text) || status.Code(got) != tt.code {
				t.Errorf("%s of %v: %v (%v), want %q (%v)", way, tt.err, got, status.Code(got), tt.text, tt.code)
			}
			if tt.is != nil && !errors.Is(got, tt.is) {
				t.Errorf("%s of %v: not %v", way, tt.err, tt.is)
			}
		}
	}
	if FromStatus(ToStatus((&Error{Code: uint32(codes.OK)}).Err())) == nil {
		t.Error("an error with code OK is none on the other side")
	}
	if NewError(nil) != nil || (*Error)(nil).Err() != nil || ToStatus(nil) != nil || FromStatus(nil) != nil {
		t.Error("nil is an error")
	}
}
