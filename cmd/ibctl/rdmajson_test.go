package main

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/resources"
)

// TestRDMAMembers is about what the lab's devices have none of; what they have is
// held against rdma there.
func TestRDMAMembers(t *testing.T) {
	one := rdma.Known(uint32(1))
	device := resources.Attrs{{Key: "device", Value: "mlx5_0"}, {Key: "device_index", Value: uint64(3)}}
	with := func(more ...resources.Attr) []resources.Attrs {
		return []resources.Attrs{append(device[:2:2], more...)}
	}
	for _, tt := range []struct {
		have []output.Object
		want string
	}{
		{rdmaResources(resources.MR, false)(with(
			resources.Attr{Key: "mrn", Value: uint64(1)}, resources.Attr{Key: "rkey", Value: uint64(0x1ffff), Hex: true},
			resources.Attr{Key: "iova", Value: uint64(math.MaxUint64), Hex: true}, resources.Attr{Key: "mrlen", Value: uint64(1) << 40},
			resources.Attr{Key: "pid", Value: uint64(7)}, resources.Attr{Key: "tid", Value: uint64(8)}, resources.Attr{Key: "comm", Value: "[odd]"},
			resources.Attr{Key: "drv_x", Value: uint64(5)},
		)), `[{"ifindex":3,"ifname":"mlx5_0","mrn":1,"rkey":"1ffff","iova":"ffffffffffffffff","mrlen":1099511627776,"pid":8,"comm":"[odd]"}]`},
		{rdmaResources(resources.CQ, true)(with(
			resources.Attr{Key: "poll_ctx", Value: "WORKQUEUE"}, resources.Attr{Key: "adaptive_moderation", Value: true}, resources.Attr{Key: "comm", Value: "[ib_core]"},
			resources.Attr{Key: "drv_depth", Value: uint64(math.MaxUint64)}, resources.Attr{Key: "drv_low", Value: int64(-1)}, resources.Attr{Key: "drv_flags", Value: uint64(31), Hex: true},
		)), `[{"ifindex":3,"ifname":"mlx5_0","poll-ctx":"WORKQUEUE","adaptive-moderation":true,"comm":"ib_core","drv_depth":18446744073709551615,"drv_low":-1,"drv_flags":"0x1f"}]`},
		{rdmaResources(resources.SRQ, false)(with(
			resources.Attr{Key: "pdn", Value: uint64(2)}, resources.Attr{Key: "lqpn", Value: []nldev.Range{{First: 17, Last: 18}, {First: 21, Last: 21}}},
			resources.Attr{Key: "tid", Value: uint64(8)}, resources.Attr{Key: "comm", Value: "main"}, resources.Attr{Key: "thread", Value: "worker"},
		)), `[{"ifindex":3,"ifname":"mlx5_0","lqpn":["17-18","21"],"pdn":2,"pid":8,"comm":"worker"}]`},
		{rdmaRaw(with(resources.Attr{Key: resources.RawKey, Value: resources.Octets{0, 4, 255}})), `[{"ifindex":3,"ifname":"mlx5_0","data":[0,4,255]}]`},
		{rdmaRaw(with()), `[]`},
		{rdmaCounts(with(resources.Attr{Key: "qp", Value: uint64(2)}, resources.Attr{Key: "qp_max", Value: uint64(9)})), `[{"ifindex":3,"ifname":"mlx5_0","qp":2}]`},
		{rdmaQPSets([]counters.QPSet{{Device: "mlx5_0", DeviceIndex: one, Port: one, ID: 4, Type: "RC", PID: one, Comm: "x", QPs: []uint32{178},
			Counters: []counters.Counter{{Name: "rx_write_requests", Value: math.MaxUint64}}}}),
			`[{"ifindex":1,"ifname":"mlx5_0","port":1,"cntn":4,"qp-type":"RC","pid":1,"comm":"x","rx_write_requests":18446744073709551615,"lqpn":[178]}]`},
		{rdmaMRSets([]counters.MRSet{{Device: "mlx5_0", DeviceIndex: one, MRN: one, Counters: []counters.Counter{{Name: "page_faults", Value: 5}}}}),
			`[{"ifindex":1,"ifname":"mlx5_0","mrn":1,"page_faults":5}]`},
		{rdmaModes([]counters.Mode{{Device: "a", Port: 1}, {Device: "b", Port: 2, Optional: []counters.Optional{{Name: "x", On: true}, {Name: "y"}}}}),
			`[{"ifname":"b","port":2,"optional-counters":["x"]}]`},
		{[]output.Object{rdmaEvent(host.KernelEvent{Type: nldev.EventNetdevRename, NetdevIndex: one, Netdev: "eth7"})},
			`[{"event_type":"[NETDEV_RENAME]","netdev_idx":1,"netdev_name":"eth7"}]`},
		{rdmaPorts([]portItem{{Device: "mlx5_0", DeviceIndex: one, Port: rdma.Port{Number: 1, LID: rdma.Known(uint32(5)), LMC: rdma.Known(uint32(0)),
			SubnetPrefix: rdma.Known(rdma.GUID(0xfe80000000000000)), State: rdma.Known(rdma.PortActive)}}}),
			`[{"ifindex":1,"ifname":"mlx5_0","port":1,"subnet_prefix":"fe80:0000:0000:0000","lid":5,"lmc":0,"state":"ACTIVE"}]`},
	} {
		if tt.have == nil {
			tt.have = []output.Object{}
		}
		have, err := json.Marshal(tt.have)
		if err != nil || string(have) != tt.want {
			t.Errorf("%s, %v\nwant %s", have, err, tt.want)
		}
	}
}

// TestDump: sixteen octets a line, with the offset of the first.
func TestDump(t *testing.T) {
	fields := dumpFields(resources.Octets(make([]byte, 17)))
	if len(fields) != 2 || fields[0] != (output.Field{Label: "0000", Value: "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"}) || fields[1] != (output.Field{Label: "0010", Value: "00"}) {
		t.Errorf("%v", fields)
	}
	if fields := dumpFields(nil); len(fields) != 1 || fields[0].Value != "-" {
		t.Errorf("no record: %v", fields)
	}
}
