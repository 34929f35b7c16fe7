package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ibctl/ibctl/internal/sysfs"
)

var (
	// ErrNoRDMA says that the kernel, or the copied tree, knows no RDMA at all.
	// A host with RDMA but without a device has an empty list.
	ErrNoRDMA = sysfs.ErrNoRDMA
	// ErrNotFound says that an argument names no device, or no port of one.
	ErrNotFound = errors.New("not found")
	// ErrBadSelector says that an argument cannot name anything.
	ErrBadSelector = errors.New("not a device, DEV/PORT or DEV/PORT/INDEX")
	// ErrVanished says that a device went away while it was read.
	ErrVanished = sysfs.ErrVanished
)

// AmbiguousError says that an argument names several devices.
type AmbiguousError struct {
	Arg string
	// Candidates are arguments that name one device each.
	Candidates []string
}

// Error implements error.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q is ambiguous: %s", e.Arg, strings.Join(e.Candidates, ", "))
}
