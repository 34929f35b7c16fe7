package e2e

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const cmConfigfs = "/sys/kernel/config/rdma_cm/"

// throughConfigfs reads or, with a value, sets a default by hand.
func throughConfigfs(t *testing.T, device, file, value string) string {
	t.Helper()
	dir := cmConfigfs + device
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	path := dir + "/ports/1/" + file
	if value != "" {
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// nothingLeft checks that configfs has no directory of the device.
func nothingLeft(t *testing.T, device string) {
	t.Helper()
	if _, err := os.Stat(cmConfigfs + device); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of %s is left: %v", device, err)
	}
}

// TestCMDefaults: what ibctl sets is what the kernel has, and the other way round; directories are left as they were.
func TestCMDefaults(t *testing.T) {
	oneNamespace(t)
	throughConfigfs(t, "rxea", "default_roce_tos", "96")
	items := ibctlItems(t, "", "cm", "tos", "rxea")
	if len(items) != 1 || items[0]["port"].(interface{ String() string }).String() != "1" || items[0]["dscp_name"] != "CS3" || items[0]["roce_mode"] != "RoCE v2" {
		t.Errorf("%v", items)
	}
	for text, want := range map[string]string{"106": "106", "0x20": "32", "dscp:26": "104", "ef": "184"} {
		ibctlItems(t, "", "cm", "tos", "rxea/1", text)
		nothingLeft(t, "rxea")
		if got := throughConfigfs(t, "rxea", "default_roce_tos", ""); got != want {
			t.Errorf("cm tos %s set %s, want %s", text, got, want)
		}
	}
	if all := ibctlItems(t, "", "cm", "mode"); len(all) != 2 {
		t.Errorf("%d ports, want both: %v", len(all), all)
	}
	ibctlItems(t, "", "cm", "mode", "rxea", "v2")
	if r := ibctl(t, "", "cm", "mode", "rxea", "v1"); r.code != 69 || !strings.Contains(r.stderr, "invalid argument") {
		t.Errorf("RoCE v1, which rxe lacks: exit code %d, %s", r.code, r.stderr)
	}
	nothingLeft(t, "rxea")

	// A directory that somebody else made stays.
	if err := os.Mkdir(cmConfigfs+"rxeb", 0o755); err != nil {
		t.Fatal(err)
	}
	ibctlItems(t, "", "cm", "tos", "rxeb", "8")
	if err := os.Remove(cmConfigfs + "rxeb"); err != nil {
		t.Errorf("somebody else's directory: %v", err)
	}
}

// TestCMDefaultTOSBecomesTrafficClass: the path that a connection gets has it; a TOS of its own wins.
func TestCMDefaultTOSBecomesTrafficClass(t *testing.T) {
	oneNamespace(t)
	ibctlItems(t, "", "cm", "tos", "rxea", "106")
	for _, tt := range []struct {
		args []string
		want string
	}{{nil, "106"}, {[]string{"--tos", "0"}, "0"}, {[]string{"--tos", "af31"}, "104"}} {
		args := append([]string{"cm", "resolve", hostB, "--from", hostA}, tt.args...)
		if r := ibctlItems(t, "", args...)[0]; r["traffic_class"].(interface{ String() string }).String() != tt.want {
			t.Errorf("%q: traffic class %v, want %s", args, r["traffic_class"], tt.want)
		}
	}
}

// TestCMUnprivileged: reading and asking take no privilege; defaults do.
func TestCMUnprivileged(t *testing.T) {
	oneNamespace(t)
	for _, tt := range []struct {
		code int
		args []string
	}{
		{0, []string{"cm", "list"}},
		{0, []string{"cm", "stat"}},
		{0, []string{"cm", "ping", hostB, "--from", hostA, "-c", "1", "-W", "30"}},
		{0, []string{"cm", "resolve", hostB, "--from", hostA}},
		{77, []string{"cm", "tos", "rxea"}},
		{77, []string{"cm", "mode", "rxea", "v2"}},
		{77, []string{"cm", "listen", "--port", "99"}},
	} {
		cmd := exec.Command("ibctl", tt.args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if r := runCLI(t, cmd); r.code != tt.code {
			t.Errorf("ibctl %q as nobody: exit code %d, want %d\n%s%s", tt.args, r.code, tt.code, r.stdout, r.stderr)
		}
	}
}
