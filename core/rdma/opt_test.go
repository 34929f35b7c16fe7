package rdma

import (
	"encoding/json"
	"errors"
	"io/fs"
	"reflect"
	"testing"
)

func TestOpt(t *testing.T) {
	unknown, zero, seven := Opt[int]{}, Known(0), Known(7)
	if v, ok := unknown.Get(); ok || v != 0 {
		t.Errorf("got %d, %t of an unknown value", v, ok)
	}
	if v, ok := zero.Get(); !ok || v != 0 {
		t.Errorf("got %d, %t of a known zero", v, ok)
	}
	if unknown.Or(3) != 3 || zero.Or(3) != 0 {
		t.Error("Or is for unknown values, and zero is not one")
	}
	if unknown.Else(seven) != seven || zero.Else(seven) != zero || unknown.Else(unknown).IsKnown() {
		t.Error("Else is for the first that is known")
	}
	if unknown == zero {
		t.Error("unknown equals zero")
	}
}

func TestOptJSON(t *testing.T) {
	type item struct {
		A Opt[int]    `json:"a,omitzero"`
		B Opt[string] `json:"b,omitzero"`
		C Opt[GUID]   `json:"c"`
	}
	tests := map[string]item{
		`{"c":null}`: {},
		`{"a":0,"b":"","c":"0000:0000:0000:0000"}`: {Known(0), Known(""), Known(GUID(0))},
		`{"a":7,"c":"248a:0703:00a5:29d0"}`:        {A: Known(7), C: Known(someGUID)},
	}
	for want, v := range tests {
		data, err := json.Marshal(v)
		if err != nil || string(data) != want {
			t.Errorf("got %s, %v, want %s", data, err, want)
		}
		var back item
		if err := json.Unmarshal(data, &back); err != nil || back != v {
			t.Errorf("%s came back as %+v, %v", data, back, err)
		}
	}
	v := Known(5)
	if err := json.Unmarshal([]byte(`"five"`), &v); err == nil || v != Known(5) {
		t.Errorf("got %v, %v, want an error and v unchanged", v, err)
	}
	if err := json.Unmarshal([]byte(`null`), &v); err != nil || v.IsKnown() {
		t.Errorf("null made %v, %v", v, err)
	}
}

// A device of which little is known does not say more in JSON than is known.
func TestDeviceJSON(t *testing.T) {
	bare := Device{Name: "hfi1_0", Ports: []Port{{Number: 1}}}
	data, err := json.Marshal(bare)
	if want := `{"name":"hfi1_0","ports":[{"port":1}]}`; err != nil || string(data) != want {
		t.Errorf("got %s, %v, want %s", data, err, want)
	}

	full := Device{
		Index: Known[uint32](0), Name: "mlx5_0", NodeType: Known(NodeCA), Protocol: ProtocolRoCE, NodeGUID: Known(someGUID),
		NUMANode: Known(0), CharDevs: []string{"/dev/infiniband/uverbs0"},
		Ports: []Port{{Number: 1, State: Known(PortActive), PhysState: Known(PhysLinkUp), LinkLayer: LinkLayerEthernet,
			RateGbps: Known(2.5), LID: Known[uint32](0), NetdevIndex: Known[uint32](4)}},
	}
	data, err = json.Marshal(full)
	want := `{"index":0,"name":"mlx5_0","node_type":"ca","protocol":"roce","node_guid":"248a:0703:00a5:29d0","numa_node":0,` +
		`"char_devs":["/dev/infiniband/uverbs0"],"ports":[{"port":1,"state":"ACTIVE","physical_state":"LINK_UP",` +
		`"link_layer":"Ethernet","rate_gbps":2.5,"lid":0,"netdev_index":4}]}`
	if err != nil || string(data) != want {
		t.Errorf("got %s, %v, want %s", data, err, want)
	}
	var back Device
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, full) {
		t.Errorf("came back as %+v, %v", back, err)
	}
}

func TestWarning(t *testing.T) {
	var err error = Warning{Object: "mlx5_0/1", Op: "read phys_state", Err: fs.ErrInvalid}
	if want := "mlx5_0/1: read phys_state: invalid argument"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if !errors.Is(err, fs.ErrInvalid) {
		t.Error("the cause is lost")
	}
}
