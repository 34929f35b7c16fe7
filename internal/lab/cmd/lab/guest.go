package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab"
)

// guestVerb is the verb under which this program runs in the guest: lab guest TOPOLOGY CMD [ARG...].
const guestVerb = "guest"

// bannerVariable is the environment variable that asks for a welcome.
const bannerVariable = "IBCTL_LAB_BANNER"

// guest builds the topology, which stays until the VM ends, and becomes the command.
func guest(args []string) (int, error) {
	if len(args) < 2 {
		return statusLabFailed, errors.New("lab guest: it is started by the other verbs")
	}
	topology := lab.Topologies()[args[0]]
	if _, err := topology.Build(); err != nil {
		return statusLabFailed, err
	}
	if os.Getenv(bannerVariable) != "" {
		fmt.Print(banner(topology))
	}
	path, err := exec.LookPath(args[1])
	if err != nil {
		return 127, fmt.Errorf("lab: %w", err)
	}
	return 126, fmt.Errorf("lab: exec %s: %w", path, unix.Exec(path, args[1:], os.Environ()))
}

func banner(tp lab.Topology) string {
	var b strings.Builder
	series, _ := lab.Inside()
	fmt.Fprintf(&b, "\nThis is a VM with Linux %s. It sees the files of your machine; what is written here is gone afterwards.\n", series)
	for _, h := range tp.HCAs {
		fmt.Fprintf(&b, "  %-6s soft RoCE on %s\n", h.Name, h.Netdev)
	}
	b.WriteString("Try: ibctl dev list, ibctl gid show, rdma link, ibv_devinfo, ip -br addr, ip -n blue -br addr. Leave with exit.\n\n")
	return b.String()
}
