package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func (n *Net) makeHCA(h HCA) error {
	space, _, err := n.find(h.Netdev)
	if err != nil {
		return err
	}
	if err := space.nl.RdmaLinkAdd(h.Name, "rxe", h.Netdev); err != nil {
		return fmt.Errorf("rdma link add: %w", err)
	}
	if h.Netns == "" {
		return nil
	}
	target, ok := n.spaces[h.Netns]
	if !ok {
		return fmt.Errorf("no namespace %s in the topology", h.Netns)
	}
	link, err := n.spaces[""].nl.RdmaLinkByName(h.Name)
	if err != nil {
		return fmt.Errorf("find the device: %w", err)
	}
	if err := n.spaces[""].nl.RdmaLinkSetNsFd(link, uint32(target.ns)); err != nil {
		return fmt.Errorf("move the device to namespace %s: %w", h.Netns, err)
	}
	return nil
}

// setRDMANetns sets whether RDMA devices are shared by all namespaces. The kernel refuses while there is a namespace but the
// initial one, and a removed namespace lives on for a moment.
func setRDMANetns(mode string) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := netlink.RdmaSystemSetNetnsMode(mode)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("set RDMA netns mode %s: %w", mode, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// rdmaHolders lists the processes that have an RDMA character device open.
func rdmaHolders() string {
	var holders []string
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // only a bad pattern is an error
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(target, "/dev/infiniband/") {
			continue
		}
		name, _ := os.ReadFile(link[:strings.Index(link, "/fd/")] + "/comm") // it may be gone by now
		holder := fmt.Sprintf("%s holds %s", strings.TrimSpace(string(name)), filepath.Base(target))
		if !slices.Contains(holders, holder) {
			holders = append(holders, holder)
		}
	}
	return strings.Join(holders, ", ")
}
