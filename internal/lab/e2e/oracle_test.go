package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// run runs a program, which must succeed, and returns what it printed on standard output.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, stderr.String())
	}
	if name == "ibctl" {
		checkAnswer(t, args, cliResult{stdout: string(out), stderr: stderr.String()})
	}
	return string(out)
}

// runJSON runs a program that prints JSON, and decodes that into a T.
func runJSON[T any](t testing.TB, name string, args ...string) T {
	t.Helper()
	var v T
	if out := run(t, name, args...); strings.TrimSpace(out) != "" {
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatalf("%s %s: %v in\n%s", name, strings.Join(args, " "), err, out)
		}
	}
	return v
}

// ipLink is a netdev in the words of ip -j -d addr.
type ipLink struct {
	Name      string   `json:"ifname"`
	Parent    string   `json:"link"`
	Master    string   `json:"master"`
	MTU       int      `json:"mtu"`
	MAC       string   `json:"address"`
	Flags     []string `json:"flags"`
	AddrInfos []struct {
		Local     string `json:"local"`
		Peer      string `json:"address"`
		PrefixLen int    `json:"prefixlen"`
		Tentative bool   `json:"tentative"`
		Scope     string `json:"scope"`
	} `json:"addr_info"`
	LinkInfo struct {
		Kind      string         `json:"info_kind"`
		SlaveKind string         `json:"info_slave_kind"`
		Data      map[string]any `json:"info_data"`
	} `json:"linkinfo"`
}

// ipLinks returns the netdevs of a namespace by their names.
func ipLinks(t testing.TB, netns string) map[string]ipLink {
	t.Helper()
	args := []string{"-j", "-d", "addr"}
	if netns != "" {
		args = append([]string{"-n", netns}, args...)
	}
	links := make(map[string]ipLink)
	for _, l := range runJSON[[]ipLink](t, "ip", args...) {
		links[l.Name] = l
	}
	return links
}

// rdmaLink is a port in the words of rdma -j link.
type rdmaLink struct {
	Device string `json:"ifname"`
	Port   int    `json:"port"`
	State  string `json:"state"`
	Netdev string `json:"netdev"`
}

// rdmaLinks returns the ports that a namespace sees, by device; soft RoCE has one a device.
func rdmaLinks(t testing.TB, netns string) map[string]rdmaLink {
	t.Helper()
	name, args := "rdma", []string{"-j", "link"}
	if netns != "" {
		name, args = "ip", append([]string{"netns", "exec", netns, "rdma"}, args...)
	}
	links := make(map[string]rdmaLink)
	for _, l := range runJSON[[]rdmaLink](t, name, args...) {
		links[l.Device] = l
	}
	return links
}
