package nldev

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

var (
	// ErrUnavailable says that the kernel offers no RDMA netlink at all.
	ErrUnavailable = errors.New("no RDMA netlink: ib_core is not loaded, or Linux is older than 4.14")
	// ErrNoDevice says that no device visible from here has the index asked for.
	ErrNoDevice = errors.New("no such RDMA device")
	// ErrUnsupported is what every [UnsupportedError] is.
	ErrUnsupported = errors.New("not supported by this kernel")
	// ErrInterrupted says that the list changed under a dump again and again: by
	// the kernel's word (NLM_F_DUMP_INTR), or as no two lists of devices agreed.
	ErrInterrupted = errors.New("dump interrupted by changes")
	// ErrLost says that the kernel dropped events (ENOBUFS): whoever follows
	// them must read everything anew.
	ErrLost = errors.New("events lost, resynchronise")
	// ErrClosed is returned by the methods of a closed Conn or Monitor.
	ErrClosed = errors.New("nldev: closed")
)

// UnsupportedError says which feature this kernel lacks, and since when Linux
// has it. errors.Is finds [ErrUnsupported] and the cause.
type UnsupportedError struct {
	Feature string // "the RDMA monitor group"
	Since   string // "6.12"
	Cause   error  // what the kernel said, if it said anything
}

// Error implements error: "the RDMA monitor group needs Linux 6.12 or newer".
func (e *UnsupportedError) Error() string {
	text := fmt.Sprintf("%s needs Linux %s or newer", e.Feature, e.Since)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap implements the errors package's tree.
func (e *UnsupportedError) Unwrap() []error { return []error{ErrUnsupported, e.Cause} }

// Error is the kernel's refusal of one request. It unwraps to the errno.
type Error struct {
	Op      string // the operation without its prefix RDMA_NLDEV_CMD_: "PORT_GET"
	Object  string // what it was about: "#3", "uverbs", or empty
	Errno   unix.Errno
	Message string // the kernel's own words, from the extended acknowledgement; often empty
}

// Error implements error: "nldev PORT_GET #3: invalid argument".
func (e *Error) Error() string {
	text := about(e.Op, e.Object) + ": " + e.Errno.Error()
	if e.Message != "" {
		text += " (kernel: " + e.Message + ")"
	}
	return text
}

func about(op, object string) string {
	if object == "" {
		return "nldev " + op
	}
	return "nldev " + op + " " + object
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }
