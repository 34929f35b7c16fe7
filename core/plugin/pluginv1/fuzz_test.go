package pluginv1

import (
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ibctl/ibctl/core/rdma"
)

// FuzzDevice: whatever comes over the wire is a device or an error, and a device
// stays the same when it is passed on.
func FuzzDevice(f *testing.F) {
	for _, d := range []rdma.Device{full(), {}, {Ports: []rdma.Port{{}}}} {
		seed, err := proto.Marshal(NewDevice(d))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
		f.Add(seed[:len(seed)/2])
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var x Device
		if proto.Unmarshal(wire, &x) != nil {
			return
		}
		first, err := x.RDMA()
		if err != nil {
			return
		}
		second, err := NewDevice(first).RDMA()
		if err != nil || !reflect.DeepEqual(withoutNaN(first), withoutNaN(second)) {
			t.Errorf("passed on: %+v, %v; was %+v", second, err, first)
		}
	})
}

// withoutNaN takes out the one value that is not itself.
func withoutNaN(d rdma.Device) rdma.Device {
	for i, p := range d.Ports {
		if rate, ok := p.RateGbps.Get(); ok && rate != rate {
			d.Ports[i].RateGbps = rdma.Opt[float64]{}
		}
	}
	return d
}

// FuzzDeviceRequest and FuzzDeviceReply: the accessors that both sides use stand
// whatever is or is not there.
func FuzzDeviceRequest(f *testing.F) {
	for _, r := range []*DeviceRequest{
		{Id: &DeviceID{Epoch: 1, Index: 2, Generation: 3}, TimeoutMs: 4, Request: &DeviceRequest_Add{Add: &Add{Device: NewDevice(full())}}},
		{Request: &DeviceRequest_Change{Change: &Change{What: 15}}},
		{Request: &DeviceRequest_Remove{Remove: &Remove{}}},
	} {
		seed, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var r DeviceRequest
		if proto.Unmarshal(wire, &r) != nil {
			return
		}
		_ = r.GetId().ID().String()
		_, _ = r.GetAdd().GetDevice().RDMA()
		_, _ = r.GetChange().GetDevice().RDMA()
	})
}

func FuzzDeviceReply(f *testing.F) {
	for _, r := range []*DeviceReply{
		{Id: &DeviceID{Index: 2}, Reply: &DeviceReply_Added{Added: &Result{Error: &Error{Code: 5, Message: "m", Errno: 16}}}},
		{Reply: &DeviceReply_Removed{Removed: &Result{}}},
		{Reply: &DeviceReply_Event{Event: &Event{Kind: "k", Attributes: map[string]string{"a": "b"}, TimeUnixNano: -1}}},
	} {
		seed, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var r DeviceReply
		if proto.Unmarshal(wire, &r) != nil {
			return
		}
		for _, result := range []*Result{r.GetAdded(), r.GetChanged(), r.GetRemoved()} {
			err := result.GetError().Err()
			if (err == nil) != (result.GetError() == nil) {
				t.Errorf("error %v of %v", err, result)
			}
			if err != nil && FromStatus(ToStatus(err)) == nil {
				t.Errorf("%v got lost on its way", err)
			}
		}
	})
}
