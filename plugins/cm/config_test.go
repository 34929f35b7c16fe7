package cm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
)

func TestParseConfig(t *testing.T) {
	text := `{"defaults":[{"device":"mlx5_*","roce_mode":"v1","tos":106},{"device":"mlx5_0","port":2,"tos":"af31"},{"device":"248a:0703:00a5:29d0","roce_mode":"RoCE v2"}]}`
	want := Config{Defaults: []DeviceDefaults{
		{Device: "mlx5_*", Defaults: Defaults{RoCEMode: rdma.GIDTypeIBOrRoCEv1, TOS: rdma.Known(TOS(106))}},
		{Device: "mlx5_0", Port: rdma.Known(uint32(2)), Defaults: Defaults{TOS: rdma.Known(TOS(104))}},
		{Device: "248a:0703:00a5:29d0", Defaults: Defaults{RoCEMode: rdma.GIDTypeRoCEv2}},
	}}
	got, err := parseConfig([]byte(text))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	// What the host writes is what the client reads.
	again, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseConfig(again); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s became %+v, %v", again, got, err)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"defaults":[{"device":"a","tsо":1}]}`:              "unknown field",
		`{"defaults":[{"device":"a","tos":256}]}`:            "256",
		`{"defaults":[{"device":"a","tos":-1}]}`:             "-1",
		`{"defaults":[{"device":"a","roce_mode":"v3"}]}`:     "v3",
		`{"defaults":[{"device":"a"}]}`:                      "neither",
		`{"defaults":[{"tos":1}]}`:                           "no device",
		`{"defaults":[{"device":"[","tos":1}]}`:              "syntax error in pattern",
		`{"defaults":[{"device":"a","tos":1,"port":"one"}]}`: "port",
		`[]`: "configuration",
	} {
		if got, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s became %+v, %v; want an error with %q", text, got, err, want)
		}
	}
}

func TestDefaultsFor(t *testing.T) {
	device := rdma.Device{Name: "mlx5_1", PCIAddress: "0000:05:00.1", NodeGUID: rdma.Known(rdma.GUID(0x248a070300a529d0))}
	tos := func(device string, v TOS) DeviceDefaults {
		return DeviceDefaults{Device: device, Defaults: Defaults{TOS: rdma.Known(v)}}
	}
	port2 := tos("mlx5_1", 7)
	port2.Port = rdma.Known(uint32(2))
	mode := DeviceDefaults{Device: "mlx5_*", Defaults: Defaults{RoCEMode: rdma.GIDTypeRoCEv2}}
	tests := []struct {
		name    string
		entries []DeviceDefaults
		want    Defaults
	}{
		{"nothing fits", []DeviceDefaults{tos("mlx5_11", 1), tos("mlx5_", 1), tos("0000:05:00.0", 1)}, Defaults{}},
		{"name", []DeviceDefaults{tos("mlx5_1", 1)}, Defaults{TOS: rdma.Known(TOS(1))}},
		{"PCI address", []DeviceDefaults{tos("0000:05:00.1", 1)}, Defaults{TOS: rdma.Known(TOS(1))}},
		{"GUID", []DeviceDefaults{tos("0x248a070300a529d0", 1)}, Defaults{TOS: rdma.Known(TOS(1))}},
		{"another GUID", []DeviceDefaults{tos("0x248a070300a529d1", 1)}, Defaults{}},
		{"pattern, and the later wins", []DeviceDefaults{tos("mlx5_1", 1), mode, tos("*", 2)}, Defaults{RoCEMode: rdma.GIDTypeRoCEv2, TOS: rdma.Known(TOS(2))}},
		{"another port's", []DeviceDefaults{tos("mlx5_1", 1), port2}, Defaults{TOS: rdma.Known(TOS(1))}},
		{"zero is a value", []DeviceDefaults{tos("mlx5_1", 1), tos("mlx5_1", 0)}, Defaults{TOS: rdma.Known(TOS(0))}},
	}
	for _, tt := range tests {
		if got := (Config{Defaults: tt.entries}).defaultsFor(device, 1); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// A device without a GUID or PCI address fits no entry by the lack of it.
func TestUnknownFitsNothing(t *testing.T) {
	for _, device := range []string{"0000:0000:0000:0000", "0000:05:00.1"} {
		e := DeviceDefaults{Device: device}
		if e.fits(rdma.Device{Name: "rxe0"}, 1) {
			t.Errorf("%s fits a device that has neither", device)
		}
	}
}

// portFiles makes what the kernel shows once a device's directory is made.
func portFiles(t *testing.T, root, device string, port uint32) func(file string) string {
	t.Helper()
	dir := filepath.Join(root, device, "ports", strconv.Itoa(int(port)))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"default_roce_mode": "IB/RoCE v1\n", "default_roce_tos": "0\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return func(file string) string {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text[:len(strings.TrimRight(string(text), "\n"))])
	}
}

func TestApply(t *testing.T) {
	root := t.TempDir()
	one, two := portFiles(t, root, "rxe0", 1), portFiles(t, root, "rxe0", 2)
	conf, err := parseConfig([]byte(`{"defaults":[{"device":"rxe*","tos":106},{"device":"rxe0","port":2,"roce_mode":"v2"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	device := rdma.Device{Name: "rxe0", Ports: []rdma.Port{{Number: 1}, {Number: 2}}}
	if err := apply(configfs.New(root), device.Name, conf.wanted(device)); err != nil {
		t.Fatal(err)
	}
	if one("default_roce_tos") != "106" || one("default_roce_mode") != "IB/RoCE v1" {
		t.Errorf("port 1: TOS %s, mode %s", one("default_roce_tos"), one("default_roce_mode"))
	}
	if two("default_roce_tos") != "106" || two("default_roce_mode") != "RoCE v2" {
		t.Errorf("port 2: TOS %s, mode %s", two("default_roce_tos"), two("default_roce_mode"))
	}
}

// Without a value for it, a device's directory is not made: that would take root
// and pin the module.
func TestApplyTouchesNothingWithoutNeed(t *testing.T) {
	conf := Config{Defaults: []DeviceDefaults{{Device: "*", Defaults: Defaults{TOS: rdma.Known(TOS(1))}}}}
	nowhere := configfs.New(filepath.Join(t.TempDir(), "missing"))
	ib := rdma.Device{Name: "mlx5_0", Ports: []rdma.Port{{Number: 1, LinkLayer: rdma.LinkLayerInfiniBand}}}
	if err := apply(nowhere, ib.Name, conf.wanted(ib)); err != nil {
		t.Errorf("an InfiniBand port: %v", err)
	}
	roce := rdma.Device{Name: "rxe0", Ports: []rdma.Port{{Number: 1}}}
	if err := apply(nowhere, roce.Name, Config{}.wanted(roce)); err != nil {
		t.Errorf("no configuration: %v", err)
	}
}

// What can't be set on one port does not keep the others from it.
func TestApplyGoesOn(t *testing.T) {
	root := t.TempDir()
	two := portFiles(t, root, "rxe0", 2)
	conf := Config{Defaults: []DeviceDefaults{{Device: "rxe0", Defaults: Defaults{TOS: rdma.Known(TOS(9))}}}}
	device := rdma.Device{Name: "rxe0", Ports: []rdma.Port{{Number: 1}, {Number: 2}}}
	if err := apply(configfs.New(root), device.Name, conf.wanted(device)); err == nil {
		t.Error("no error for the port that is not there")
	}
	if two("default_roce_tos") != "9" {
		t.Errorf("port 2: TOS %s", two("default_roce_tos"))
	}
}
