package host

import (
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

// An IPoIB interface belongs to the port whose GUID its address holds, not to
// the device whose node GUID is the same number.
func TestMatchIPoIB(t *testing.T) {
	interfaces := []ipoib{{"ib0", 5, 0xa1}, {"ib1", 6, 0xa2}, {"ib0.8001", 7, 0xa1}, {"ib9", 9, 0xa0}}
	devices := []rdma.Device{
		{Name: "mlx4_0", NodeGUID: rdma.Known(rdma.GUID(0xa0)), Ports: []rdma.Port{
			{Number: 1, LinkLayer: rdma.LinkLayerInfiniBand},
			{Number: 2, LinkLayer: rdma.LinkLayerInfiniBand},
		}},
		{Name: "mlx5_0", Ports: []rdma.Port{
			{Number: 1, LinkLayer: rdma.LinkLayerInfiniBand, Netdev: "known"},
			{Number: 2, LinkLayer: rdma.LinkLayerEthernet},
		}},
	}
	ports := portsWithoutIPoIB(devices)
	if len(ports) != 2 {
		t.Fatalf("%d ports", len(ports))
	}
	for i, guid := range []rdma.GUID{0xa1, 0xa2} {
		matchIPoIB(ports[i], rdma.Known(guid), interfaces)
	}
	got := devices[0].Ports
	if got[0].Netdev != "ib0" || got[0].NetdevIndex != rdma.Known(uint32(5)) || got[1].Netdev != "ib1" {
		t.Errorf("got %+v", got)
	}
	lonely := devicePort{&rdma.Device{Name: "mlx5_1"}, &rdma.Port{}}
	if matchIPoIB(lonely, rdma.Known(rdma.GUID(0xff)), interfaces); lonely.port.Netdev != "" {
		t.Errorf("got %+v", lonely.port)
	}
}
