package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Reasons for which an attribute of a peer's is not compared.
const (
	verbsOnly  = "only an open verbs device tells it, and ibctl opens none"
	elsewhere  = "another command shows it, and another test compares that"
	noLIDs     = "RoCE has no LIDs: the zeros that files and verbs have mean nothing, and unknown is not zero"
	zeroIsNone = "verbs has zeros where the driver says nothing"
)

// verbsLeftOut are the attributes of ibv_devinfo -v that are not compared, or only
// in part.
var verbsLeftOut = map[string]string{
	"transport": verbsOnly, "fw_ver": zeroIsNone, "vendor_id": verbsOnly, "vendor_part_id": verbsOnly, "hw_ver": zeroIsNone,
	"page_size_cap": verbsOnly, "device_cap_flags": verbsOnly, "device_cap_flags_ex": verbsOnly, "atomic_cap": verbsOnly,
	"local_ca_ack_delay": verbsOnly, "general_odp_caps": verbsOnly, "rc_odp_caps": verbsOnly, "uc_odp_caps": verbsOnly,
	"ud_odp_caps": verbsOnly, "xrc_odp_caps": verbsOnly, "tso_caps": verbsOnly, "rss_caps": verbsOnly, "rx_hash_function": verbsOnly,
	"rx_hash_fields_mask": verbsOnly, "packet_pacing_caps": verbsOnly, "qp_rate_limit_min": verbsOnly, "qp_rate_limit_max": verbsOnly,
	"num_comp_vectors": verbsOnly, "supported_qp": verbsOnly, "hca_core_clock": verbsOnly,
	"sm_lid": noLIDs, "port_lid": noLIDs, "port_lmc": noLIDs, "sm_sl": noLIDs, "port_cap_flags2": noLIDs,
	"bad_pkey_cntr": verbsOnly, "qkey_viol_cntr": verbsOnly, "subnet_timeout": verbsOnly, "init_type_reply": verbsOnly,
	"GID": elsewhere, "max_msg_sz": verbsOnly, "max_vl_num": verbsOnly,
}

// isVerbsLimit tells of limits of a device: "max_qp_wr". Linux 7.3 has the most
// important of them in its counts, which compareLimits looks at.
func isVerbsLimit(name string) bool { return strings.HasPrefix(name, "max_") && name != "max_mtu" }

// speeds are lane speeds by the number of their bit (IBTA 14.2.5.6), which
// ibv_devinfo has in brackets.
var speeds = map[string]string{"1": "SDR", "2": "DDR", "4": "QDR", "8": "FDR10", "16": "FDR", "32": "EDR", "64": "HDR", "128": "NDR"}

// compareCapabilities: what rdma calls a device's capabilities, ibctl does too. It
// knows more of them, and has one name without rdma's slip.
func compareCapabilities(t *testing.T) {
	devices := byKey(ibctlItems(t, "", "dev", "show"), "name")
	for name, d := range byKey(rdmaObjects(t, "", "-d", "dev", "show"), "ifname") {
		have, _ := devices[name]["capabilities"].([]any)
		caps, _ := d["caps"].([]any)
		if len(caps) == 0 {
			t.Errorf("%s: rdma tells no capabilities: %v", name, d)
		}
		for _, c := range caps {
			if c == "UD_AV_PORT_ENFORCE_PORT_ENFORCE" {
				c = "UD_AV_PORT_ENFORCE"
			}
			if c != "UNKNOWN" && !slices.Contains(have, c) {
				t.Errorf("%s: capabilities %v, rdma has %v", name, have, c)
			}
		}
	}
}

// comparePorts holds what ibctl says of ports against rdma, ibstat, ibv_devinfo
// and sysfs.
func comparePorts(t *testing.T) {
	ports := byKey(ibctlItems(t, "", "port", "list"), "device", "port")
	devices := byKey(ibctlItems(t, "", "dev", "list"), "name")
	t.Run("rdma", func(t *testing.T) { portsLikeRDMA(t, ports) })
	t.Run("ibstat", func(t *testing.T) { portsLikeIbstat(t, devices, ports) })
	t.Run("ibv_devinfo", func(t *testing.T) { portsLikeVerbs(t, devices, ports) })
	t.Run("sysfs", func(t *testing.T) { portsLikeSysfs(t, ports) })
}

func portsLikeRDMA(t *testing.T, ports map[string]object) {
	theirs := rdmaObjects(t, "", "-d", "link", "show")
	if len(theirs) != len(ports) {
		t.Errorf("%d ports, rdma has %d", len(ports), len(theirs))
	}
	for name, port := range byKey(theirs, "ifname", "port") {
		for key, value := range port {
			compareAttribute(t, name, ports[name], key, value, false)
		}
	}
}

// equal compares an attribute as text, if the peer has one.
func equal(t *testing.T, object, what string, have any, want string) {
	t.Helper()
	if have == nil {
		have = ""
	}
	if got := fmt.Sprint(have); got != want {
		t.Errorf("%s: %s is %q, the peer says %q", object, what, got, want)
	}
}

// word is an enumeration's word as no tool spells it, to compare two that do.
func word(text string) string {
	return strings.ToLower(strings.NewReplacer("_", "", " ", "").Replace(text))
}

func guid(hex string) string {
	digits := strings.TrimPrefix(hex, "0x")
	if len(digits) != 16 {
		return hex
	}
	return digits[:4] + ":" + digits[4:8] + ":" + digits[8:12] + ":" + digits[12:]
}

func number(t *testing.T, text string) string {
	t.Helper()
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		t.Errorf("not a number: %q", text)
	}
	return strconv.FormatUint(n, 10)
}

// portsLikeIbstat reads "CA 'rxe0'", "Port 1:" and the lines "Name: value" below.
func portsLikeIbstat(t *testing.T, devices, ports map[string]object) {
	var device, port string
	seen := map[string]bool{}
	for line := range strings.Lines(run(t, "ibstat")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		d, p := devices[device], ports[device+"/"+port]
		seen[name] = true
		switch {
		case strings.HasPrefix(line, "CA '"):
			device, port = strings.Trim(strings.TrimSpace(line[3:]), "'"), ""
		case strings.HasPrefix(name, "Port ") && value == "":
			port = name[5:]
		case name == "CA type":
			equal(t, device, name, d["hca_type"], value)
		case name == "Number of ports":
			equal(t, device, name, len(d["ports"].([]any)), value)
		case name == "Firmware version":
			equal(t, device, name, d["fw"], value)
		case name == "Hardware version":
			equal(t, device, name, d["hw_rev"], value)
		case name == "Node GUID":
			equal(t, device, name, d["node_guid"], guid(value))
		case name == "System image GUID":
			equal(t, device, name, d["sys_image_guid"], guid(value))
		case name == "State", name == "Physical state":
			key := map[string]string{"State": "state", "Physical state": "physical_state"}[name]
			equal(t, device, name, word(fmt.Sprint(p[key])), word(value))
		case name == "Rate":
			gbps, _, _ := strings.Cut(value, " ") // "10 (FDR10)"
			equal(t, device, name, p["rate_gbps"], gbps)
		case name == "Base lid", name == "LMC", name == "SM lid":
			key := map[string]string{"Base lid": "lid", "LMC": "lmc", "SM lid": "sm_lid"}[name]
			equal(t, device, name+" ("+noLIDs+")", p[key], "")
		case name == "Capability mask":
			equal(t, device, name, p["cap_mask"], number(t, value))
		case name == "Port GUID":
			equal(t, device, name, p["port_guid"], guid(value))
		case name == "Link layer":
			equal(t, device, name, p["link_layer"], value)
		default:
			t.Errorf("ibstat has %q, which nobody compares", strings.TrimSpace(line))
		}
	}
	if len(seen) < 15 {
		t.Errorf("ibstat tells little: %v", seen)
	}
}

// portsLikeVerbs reads ibv_devinfo -v: "name:\tvalue", of a device and then of its
// ports.
func portsLikeVerbs(t *testing.T, devices, ports map[string]object) {
	limits := byKey(ibctlItems(t, "", "res", "list"), "device")
	var device, port string
	left := map[string]bool{}
	for line := range strings.Lines(run(t, "ibv_devinfo", "-v")) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		bare, _, _ := strings.Cut(value, " (")
		d, p := devices[device], ports[device+"/"+port]
		switch {
		case !found, name == "Unknown flags": // the names of flags, a line each; ours come from the kernel
		case name == "hca_id":
			device, port = value, ""
			if devices[device] == nil {
				t.Errorf("%s: ibctl does not know it", device)
			}
		case name == "port":
			port = value
		case name == "node_guid", name == "sys_image_guid":
			equal(t, device, name, d[name], value)
		case name == "phys_port_cnt":
			equal(t, device, name, len(d["ports"].([]any)), value)
		case name == "state":
			equal(t, device, name, p["state"], strings.TrimPrefix(bare, "PORT_"))
		case name == "phys_state":
			equal(t, device, name, p["physical_state"], bare)
		case name == "active_mtu" && p["netdev"] == nil:
			equal(t, device, name+", whose rule needs the MTU of a netdev in another namespace", p[name], "")
		case name == "max_mtu", name == "active_mtu":
			equal(t, device, name, p[name], bare)
		case name == "link_layer":
			equal(t, device, name, p["link_layer"], value)
		case name == "port_cap_flags":
			equal(t, device, name, p["cap_mask"], number(t, value))
		case name == "pkey_tbl_len":
			equal(t, device, name, p["pkey_table_size"], value)
		case name == "gid_tbl_len":
			equal(t, device, name, p["gid_table_size"], value)
		case name == "active_width":
			equal(t, device, name, p["width"], bare)
		case name == "active_speed":
			_, code, _ := strings.Cut(value, " (")
			equal(t, device, name, p["speed"], speeds[strings.TrimSuffix(code, ")")])
		case isVerbsLimit(name) && limits[device][strings.TrimPrefix(name, "max_")+"_max"] != nil:
			equal(t, device, name, limits[device][strings.TrimPrefix(name, "max_")+"_max"], value)
		case isVerbsLimit(name), strings.HasPrefix(name, "GID["), verbsLeftOut[name] != "":
			left[strings.TrimRight(strings.Split(name, "[")[0], " ")] = true
		default:
			t.Errorf("ibv_devinfo has %q, which nobody compares", strings.TrimSpace(line))
		}
	}
	for name := range left {
		reason := verbsLeftOut[name]
		if reason == "" {
			reason = verbsOnly
		}
		t.Logf("left out: %s: %s", name, reason)
	}
}

// sysfsLeftOut are the files and directories of a port that are not compared here.
var sysfsLeftOut = map[string]string{
	"gids": elsewhere, "gid_attrs": elsewhere, "counters": elsewhere, "hw_counters": elsewhere, "cm_tx_msgs": elsewhere, "cm_tx_retries": elsewhere,
	"cm_rx_msgs": elsewhere, "cm_rx_duplicates": elsewhere, "lid": noLIDs, "lid_mask_count": noLIDs, "sm_lid": noLIDs, "sm_sl": noLIDs,
}

func portsLikeSysfs(t *testing.T, ports map[string]object) {
	for name, p := range ports {
		device, port, _ := strings.Cut(name, "/")
		dir := filepath.Join("/sys/class/infiniband", device, "ports", port)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, _ := os.ReadFile(filepath.Join(dir, e.Name()))
			value := strings.TrimSpace(string(text))
			_, afterColon, _ := strings.Cut(value, ": ")
			switch e.Name() {
			case "state":
				equal(t, name, "state", p["state"], afterColon)
			case "phys_state":
				equal(t, name, "phys_state", word(fmt.Sprint(p["physical_state"])), word(afterColon))
			case "link_layer":
				equal(t, name, "link_layer", p["link_layer"], value)
			case "cap_mask":
				equal(t, name, "cap_mask", p["cap_mask"], number(t, value))
			case "rate":
				equal(t, name, "rate", fmt.Sprintf("%v Gb/sec (%v %v)", p["rate_gbps"], p["width"], p["speed"]), value)
			case "pkeys":
				comparePKeys(t, name, p, filepath.Join(dir, "pkeys"))
			default:
				if sysfsLeftOut[e.Name()] == "" {
					t.Errorf("%s: sysfs has %s, which nobody compares", name, e.Name())
				}
			}
		}
	}
}

// comparePKeys: the slots that are not zero are listed, and no others.
func comparePKeys(t *testing.T, name string, p object, dir string) {
	slots, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, name, "pkey_table_size", p["pkey_table_size"], strconv.Itoa(len(slots)))
	var want []string
	for _, slot := range slots {
		text, err := os.ReadFile(filepath.Join(dir, slot.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if value := number(t, strings.TrimSpace(string(text))); value != "0" {
			want = append(want, slot.Name()+"="+value)
		}
	}
	var have []string
	list, _ := p["pkeys"].([]any)
	for _, k := range list {
		have = append(have, fmt.Sprintf("%v=%v", k.(object)["index"], k.(object)["pkey"]))
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("%s: partition keys %v, sysfs has %v", name, have, want)
	}
}
