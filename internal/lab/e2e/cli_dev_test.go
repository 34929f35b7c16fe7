package e2e

import (
	"cmp"
	"fmt"
	"reflect"
	"testing"
)

// ours translates the keys of rdma -j that ibctl names otherwise.
var ours = map[string]string{"ifname": "name", "ifindex": "index", "adaptive-moderation": "adaptive_moderation"}

// TestCLIDevAgreesWithRDMA: what rdma says of a device or a port, ibctl says too,
// in the same words, from every namespace.
func TestCLIDevAgreesWithRDMA(t *testing.T) {
	cliTopology().Up(t)
	for _, netns := range []string{"", "blue"} {
		t.Run("netns="+netns, func(t *testing.T) {
			devices := ibctlItems(t, netns, "dev", "list")
			compareObjects(t, byKey(devices, "name"), byKey(rdmaObjects(t, netns, "dev"), "ifname"))
			compareObjects(t, portsOf(devices), byKey(rdmaObjects(t, netns, "link"), "ifname", "port"), "ifname", "ifindex")
		})
	}
}

// compareObjects holds every object of theirs against ours: none is missing on
// either side, and each key has the same value, but for those left out.
func compareObjects(t *testing.T, have, want map[string]object, leftOut ...string) {
	t.Helper()
	if len(want) < 4 {
		t.Fatalf("the oracle knows %d objects, which proves little: %v", len(want), want)
	}
	for name := range have {
		if want[name] == nil {
			t.Errorf("%s: rdma does not know it", name)
		}
	}
	for name, theirs := range want {
		if have[name] == nil {
			t.Errorf("%s: ibctl does not know it", name)
			continue
		}
		for _, key := range leftOut {
			delete(theirs, key)
		}
		compareKeys(t, name, have[name], theirs)
	}
}

func compareKeys(t *testing.T, name string, have, want object) {
	t.Helper()
	for key, value := range want {
		key := cmp.Or(ours[key], key)
		if !reflect.DeepEqual(have[key], value) {
			t.Errorf("%s: %s is %v, rdma says %v", name, key, have[key], value)
		}
	}
}

// byKey returns objects by the values of keys, joined with a slash.
func byKey(objects []object, keys ...string) map[string]object {
	out := map[string]object{}
	for _, o := range objects {
		name := fmt.Sprint(o[keys[0]])
		for _, k := range keys[1:] {
			name += "/" + fmt.Sprint(o[k])
		}
		out[name] = o
	}
	return out
}

// portsOf returns the ports of ibctl's devices by DEV/PORT.
func portsOf(devices []object) map[string]object {
	out := map[string]object{}
	for _, d := range devices {
		for _, p := range d["ports"].([]any) {
			port := p.(object)
			out[fmt.Sprintf("%v/%v", d["name"], port["port"])] = port
		}
	}
	return out
}

// TestCLIDevSelectors: every way to name a device finds that device.
func TestCLIDevSelectors(t *testing.T) {
	onOneKernel(t)
	cliTopology().Up(t)
	devices := ibctlItems(t, "", "dev", "list")
	for _, d := range devices {
		selectors := []string{fmt.Sprint(d["name"]), fmt.Sprintf("#%v", d["index"])}
		if sharers(devices, d["node_guid"]) == 1 { // slaves of a bond have its MAC, and soft RoCE the GUID from that
			selectors = append(selectors, fmt.Sprint(d["node_guid"]))
		}
		for _, p := range d["ports"].([]any) {
			if netdev := p.(object)["netdev"]; netdev != nil {
				selectors = append(selectors, fmt.Sprint(netdev))
			}
		}
		for _, s := range selectors {
			found := ibctlItems(t, "", "dev", "show", s)
			if len(found) != 1 || found[0]["name"] != d["name"] {
				t.Errorf("dev show %s: %v, want %v alone", s, found, d["name"])
			}
		}
	}
}

// sharers counts the devices that have a node GUID.
func sharers(devices []object, guid any) (n int) {
	for _, d := range devices {
		if d["node_guid"] == guid {
			n++
		}
	}
	return n
}
