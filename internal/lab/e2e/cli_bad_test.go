package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab"
)

// TestCLIDeviceVanishes lists in a loop while a device comes and goes: every run
// ends well, prints a whole document, and has the device that stays.
func TestCLIDeviceVanishes(t *testing.T) {
	onOneKernel(t)
	lab.Topology{
		Links: []lab.Link{
			{Name: "eth0", Kind: lab.Dummy{}, Addrs: []string{"192.0.2.1/24"}},
			{Name: "eth1", Kind: lab.Dummy{}, Addrs: []string{"192.0.2.2/24"}},
		},
		HCAs: []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}.Up(t)
	stop := make(chan struct{})
	churned := make(chan int)
	go func() { churned <- churn(stop, "rxe1", "eth1") }()
	for i := range 30 {
		verb := []string{"dev", "list", "-o", "json"}
		if i%2 == 1 {
			verb = []string{"gid", "show", "-o", "json"}
		}
		checkUnderChurn(t, ibctl(t, "", verb...))
	}
	close(stop)
	if n := <-churned; n < 3 {
		t.Errorf("the device came and went %d times, which proves little", n)
	}
}

// churn adds and deletes a device until stop is closed, and says how often.
func churn(stop <-chan struct{}, device, netdev string) (rounds int) {
	for {
		select {
		case <-stop:
			return rounds
		default:
		}
		// A failure shows in the number of rounds.
		if exec.Command("rdma", "link", "add", device, "type", "rxe", "netdev", netdev).Run() == nil &&
			exec.Command("rdma", "link", "delete", device).Run() == nil {
			rounds++
		}
	}
}

func checkUnderChurn(t *testing.T, r cliResult) {
	t.Helper()
	if r.code != 0 || r.stderr != "" {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
		return
	}
	var doc struct{ Items []object }
	if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil {
		t.Errorf("%v in\n%s", err, r.stdout)
		return
	}
	for _, item := range doc.Items {
		if item["name"] == "rxe0" || item["device"] == "rxe0" {
			return
		}
	}
	t.Errorf("rxe0 is lost:\n%s", r.stdout)
}

// TestCLIDevicePulledAway asks for a device that is deleted at that moment: it is
// there or it is not, and nothing else comes of it.
func TestCLIDevicePulledAway(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{{Name: "eth1", Kind: lab.Dummy{}, Addrs: []string{"192.0.2.2/24"}}},
	}.Up(t)
	stop := make(chan struct{})
	churned := make(chan int)
	go func() { churned <- churn(stop, "rxe1", "eth1") }()
	codes := map[int]int{}
	for range 20 {
		r := ibctl(t, "", "gid", "show", "rxe1")
		codes[r.code]++
		if r.code != 0 && r.code != 66 {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
	}
	close(stop)
	t.Logf("exit codes: %v", codes)
	if n := <-churned; n < 3 {
		t.Errorf("the device came and went %d times, which proves little", n)
	}
}

// TestCLIUnprivileged: reading needs no privileges, plugins included.
func TestCLIUnprivileged(t *testing.T) {
	cliTopology().Up(t)
	for _, verb := range []string{"dev list", "dev show", "gid show", "client list"} {
		args := append(strings.Fields(verb), "-o", "json")
		cmd := exec.Command("ibctl", args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		r := runCLI(t, cmd)
		if r.code != 0 || r.stderr != "" {
			t.Errorf("ibctl %s as nobody: exit code %d\n%s", verb, r.code, r.stderr)
			continue
		}
		var mine, roots struct{ Items []object }
		decode(t, r.stdout, &mine)
		decode(t, ibctl(t, "", args...).stdout, &roots)
		if verb != "client list" && fmt.Sprint(mine.Items) != fmt.Sprint(roots.Items) {
			t.Errorf("ibctl %s as nobody: %v, as root %v", verb, mine.Items, roots.Items)
		}
		if verb == "client list" {
			t.Logf("guarantee as nobody: %v, as root: %v", mine.Items[0]["guarantee"], roots.Items[0]["guarantee"])
		}
	}
}

// publicDir returns a new directory that everybody may enter: t.TempDir lies in
// one that only its owner may.
func publicDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCLIPermission: a tree that may not be read is exit code 77.
func TestCLIPermission(t *testing.T) {
	tree := publicDir(t)
	if err := os.MkdirAll(filepath.Join(tree, "class/infiniband"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"dev list", "gid show"} {
		cmd := exec.Command("ibctl", append(strings.Fields(verb), "--root", tree)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if r := runCLI(t, cmd); r.code != 77 || !strings.Contains(r.stderr, "permission denied") {
			t.Errorf("ibctl %s: exit code %d, want 77\n%s", verb, r.code, r.stderr)
		}
	}
}

// TestCLINoRDMA unloads the RDMA core, and what depends on it, for good.
func TestCLINoRDMA(t *testing.T) {
	modules := unloadRDMA(t)
	defer loadModules(t, modules)
	before := strings.TrimSpace(run(t, "cat", modprobeFile))
	setModprobe(t, "/bin/false")
	defer setModprobe(t, before)
	for _, verb := range []string{"dev list", "dev show rxe0", "gid show", "client list"} {
		r := ibctl(t, "", strings.Fields(verb)...)
		if r.code != 69 || r.stdout != "" || !strings.Contains(r.stderr, "RDMA") {
			t.Errorf("ibctl %s: exit code %d, want 69\n%s%s", verb, r.code, r.stdout, r.stderr)
		}
	}
}

// TestCLINoDevice has the RDMA core, and no device.
func TestCLINoDevice(t *testing.T) {
	lab.Topology{}.Up(t)
	run(t, "modprobe", "ib_core")
	for _, verb := range []string{"dev list", "gid show"} {
		if items := ibctlItems(t, "", strings.Fields(verb)...); len(items) > 0 {
			t.Errorf("ibctl %s: %v, want nothing", verb, items)
		}
	}
	if r := ibctl(t, "", "dev", "show", "rxe0"); r.code != 66 {
		t.Errorf("dev show rxe0: exit code %d, want 66\n%s", r.code, r.stderr)
	}
}

// TestCLINobodyIsLeft: neither a normal end nor a kill leaves a plugin behind.
func TestCLINobodyIsLeft(t *testing.T) {
	cliTopology().Up(t)
	for _, delay := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond} {
		cmd := exec.Command("ibctl", "gid", "show")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay)
		cmd.Process.Kill() //nolint:errcheck // it may have ended by itself
		cmd.Wait()         //nolint:errcheck // killed, most likely
		if left := plugins(t); left != nil {
			t.Errorf("killed after %v, ibctl leaves %q", delay, left)
		}
	}
}

// plugins lists plugin processes that are still there a moment later.
func plugins(t testing.TB) (left []string) {
	t.Helper()
	for range 50 {
		left = nil
		files, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			// A process that is gone by now is none that is left.
			if text, _ := os.ReadFile(file); bytes.Contains(text, []byte("\x00plugin-serve\x00")) {
				left = append(left, string(text))
			}
		}
		if left == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return left
}

// modprobeFile names the program that the kernel calls to load a module: it would
// load the RDMA core for whoever opens an RDMA netlink socket.
const modprobeFile = "/proc/sys/kernel/modprobe"

func setModprobe(t testing.TB, program string) {
	t.Helper()
	if err := os.WriteFile(modprobeFile, []byte(program), 0o644); err != nil {
		t.Error(err)
	}
}

// unloadRDMA unloads ib_core and all that uses it, and returns what it unloaded.
func unloadRDMA(t testing.TB) (unloaded []string) {
	t.Helper()
	for range 10 {
		for line := range strings.Lines(run(t, "lsmod")) {
			f := strings.Fields(line)
			if strings.HasPrefix(line, "Module") || f[2] != "0" || !rdmaModule(f[0]) {
				continue
			}
			run(t, "rmmod", f[0])
			unloaded = append(unloaded, f[0])
		}
		if !strings.Contains(run(t, "lsmod"), "ib_core") {
			return unloaded
		}
	}
	t.Fatalf("ib_core cannot be unloaded:\n%s", run(t, "lsmod"))
	return nil
}

func rdmaModule(name string) bool {
	return strings.HasPrefix(name, "ib_") || strings.HasPrefix(name, "rdma_") || name == "iw_cm" || name == "rpcrdma"
}

func loadModules(t testing.TB, modules []string) {
	t.Helper()
	for _, m := range modules {
		run(t, "modprobe", m)
	}
}
