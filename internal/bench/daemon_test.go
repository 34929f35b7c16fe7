package bench_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/bench"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

// hca is the description of a device of tree.
func hca(i int) rdma.Device {
	return rdma.Device{
		Index: rdma.Known(uint32(i)), Name: fmt.Sprintf("mlx5_%d", i),
		Ports: []rdma.Port{{Number: 1, LinkLayer: rdma.LinkLayerEthernet}},
	}
}

// tree writes a sysfs tree of that many devices, each with a table of 256 slots,
// three of them in use.
func tree(b *testing.B, devices int) (root string) {
	b.Helper()
	port := sysfstest.Tree{"link_layer": "Ethernet\n", "state": "4: ACTIVE\n", "phys_state": "5: LinkUp\n"}
	for slot := range 256 {
		port[fmt.Sprintf("gids/%d", slot)] = "0000:0000:0000:0000:0000:0000:0000:0000\n"
	}
	for slot := range 3 {
		port[fmt.Sprintf("gids/%d", slot)] = fmt.Sprintf("fe80:0000:0000:0000:0000:0000:0000:000%d\n", slot+1)
		port[fmt.Sprintf("gid_attrs/types/%d", slot)] = "RoCE v2\n"
		port[fmt.Sprintf("gid_attrs/ndevs/%d", slot)] = "eth0\n"
	}
	all := sysfstest.Tree{}
	for i := range devices {
		device := sysfstest.Join(port.Under("ports/1"), sysfstest.Tree{
			"node_type": "1: CA\n", "fw_ver": "1\n", "node_guid": fmt.Sprintf("0001:0000:0000:000%d\n", i+1)})
		all = sysfstest.Join(all, device.Under("class/infiniband/"+hca(i).Name))
	}
	return all.Write(b)
}

// serve starts ibctl serve on a tree, and returns its pid and the way to ask it.
func serve(b *testing.B, root string) (pid int, ask func(words ...string)) {
	b.Helper()
	ibctl, dir := binary(b), shortDir(b)
	conf, socket := filepath.Join(dir, "ibctl.yaml"), filepath.Join(dir, "socket")
	must(b, os.WriteFile(conf, nil, 0o600))
	cmd := exec.Command(ibctl, "--root", root, "--socket", socket, "serve", "--config", conf)
	var said bytes.Buffer
	cmd.Stderr = &said
	ready := notification(b, cmd, dir)
	must(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			b.Errorf("ibctl serve: %v\n%s", err, &said)
		}
	})
	ready()
	return cmd.Process.Pid, func(words ...string) {
		b.Helper()
		out, err := exec.Command(ibctl, append([]string{"--socket", socket}, words...)...).CombinedOutput()
		if err != nil {
			b.Fatalf("ibctl %s: %v\n%s\nibctl serve: %s", strings.Join(words, " "), err, out, &said)
		}
	}
}

// notification makes cmd tell when it is ready, as a service manager would
// (sd_notify(3)); what it returns waits for that.
func notification(b *testing.B, cmd *exec.Cmd, dir string) (ready func()) {
	b.Helper()
	path := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(b, err)
	b.Cleanup(func() { l.Close() })
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	return func() {
		b.Helper()
		must(b, l.SetReadDeadline(time.Now().Add(time.Minute)))
		buf := make([]byte, 1024)
		for {
			n, err := l.Read(buf)
			must(b, err)
			if bytes.Contains(buf[:n], []byte("READY=1")) {
				return
			}
		}
	}
}

// BenchmarkDaemonMemory is the memory of ibctl serve and its two clients, with
// four devices: proportional set size, in which pages that several processes share
// count once. It is taken when all is in service, and when many questions have
// been answered.
func BenchmarkDaemonMemory(b *testing.B) {
	var fresh, used bench.Series
	for b.Loop() {
		pid, ask := serve(b, tree(b, 4))
		fresh = append(fresh, pss(b, pid))
		for range 50 {
			ask("gid", "show")
		}
		used = append(used, pss(b, pid))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(fresh.Median(), "MB-at-start")
	b.ReportMetric(used.Median(), "MB-after-50-questions")
}

// pss returns the memory of a process and its children in 10^6 octets.
func pss(b *testing.B, pid int) (megabytes float64) {
	b.Helper()
	for _, p := range append(children(b, pid), strconv.Itoa(pid)) {
		text, err := os.ReadFile("/proc/" + p + "/smaps_rollup")
		must(b, err)
		for line := range strings.Lines(string(text)) {
			var kib float64
			if _, err := fmt.Sscanf(line, "Pss: %f kB", &kib); err == nil {
				megabytes += kib * 1024 / 1e6
			}
		}
	}
	return megabytes
}

func children(b *testing.B, pid int) (pids []string) {
	b.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	must(b, err)
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		must(b, err)
		pids = append(pids, strings.Fields(string(text))...)
	}
	if len(pids) != 2 {
		b.Fatalf("ibctl serve has children %v, want two", pids)
	}
	return pids
}
