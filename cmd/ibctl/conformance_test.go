package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/plugintest"
	"github.com/ibctl/ibctl/plugins/roce"
)

// TestConformance holds the built-in clients against the contract that third
// parties have to keep, as ibctl runs them: from its own executable.
func TestConformance(t *testing.T) {
	tree, devices := manyDevices(24)
	config, err := json.Marshal(map[string]string{"root": tree.Write(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []plugintest.Plugin{
		{Name: roce.Name},
		{Name: cm.Name, HostPIDs: true},
	} {
		client.Config, client.Devices = config, devices
		t.Run(client.Name, func(t *testing.T) { plugintest.Run(t, client) })
	}
}

// manyDevices is a tree of RoCE devices with a GID each, and what ibctl makes of
// it.
func manyDevices(n int) (sysfstest.Tree, []rdma.Device) {
	tree := sysfstest.Tree{}
	var devices []rdma.Device
	for i := range n {
		name := fmt.Sprintf("rocep%ds0", i)
		dir := "class/infiniband/" + name
		tree[dir+"/node_type"] = "1: CA\n"
		tree[dir+"/ports/1/link_layer"] = "Ethernet\n"
		tree[dir+"/ports/1/state"] = "4: ACTIVE\n"
		tree[dir+"/ports/1/gids/0"] = fmt.Sprintf("fe80:0000:0000:0000:0000:00ff:fe00:%04x\n", i)
		tree[dir+"/ports/1/gid_attrs/types/0"] = "RoCE v2\n"
		tree[dir+"/ports/1/gid_attrs/ndevs/0"] = fmt.Sprintf("ens%d\n", i)
		devices = append(devices, rdma.Device{
			Name:     name,
			NodeType: rdma.Known(rdma.NodeCA),
			Ports:    []rdma.Port{{Number: 1, LinkLayer: rdma.LinkLayerEthernet, Netdev: fmt.Sprintf("ens%d", i)}},
		})
	}
	return tree, devices
}
