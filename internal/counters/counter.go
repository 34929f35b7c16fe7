package counters

import (
	"math"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// Source is where the kernel shows a counter.
type Source string

const (
	// PMA is the directory ports/N/counters: what the port's performance
	// management agent counts.
	PMA Source = "counters"
	// HW is a directory hw_counters: what the driver counts.
	HW Source = "hw_counters"
	// Netlink is STAT_GET: what the driver counts, optional counters included.
	Netlink Source = "netlink"
)

// Counter is one counter of a port, or of a device as a whole.
type Counter struct {
	Device string           `json:"device"`
	Port   rdma.Opt[uint32] `json:"port,omitzero"`
	// Name is the kernel's, whatever the unit here.
	Name   string `json:"counter"`
	Value  uint64 `json:"value"`
	Unit   Unit   `json:"unit,omitzero"`
	Source Source `json:"source"`
	// Error tells whether counting up means that something went wrong.
	Error bool `json:"error"`
}

// newCounter returns a counter as the kernel gives it.
func newCounter(d rdma.Device, port rdma.Opt[uint32], name string, value uint64, source Source) Counter {
	return Counter{
		Device: d.Name, Port: port, Name: name, Value: value,
		Unit: unitOf(name), Source: source, Error: countsErrors(name),
	}
}

// wordSize is how many octets the agent's data counters count as one.
const wordSize = 4

// inOctets makes octets of words. It fails for a value that no hardware reaches.
func inOctets(words uint64) (octets uint64, ok bool) {
	return words * wordSize, words <= math.MaxUint64/wordSize
}

// inWords tells whether a file counts words of four octets.
func inWords(c sysfs.Counter) bool {
	return c.Group == sysfs.PortCounters && (c.Name == "port_rcv_data" || c.Name == "port_xmit_data")
}
