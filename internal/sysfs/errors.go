package sysfs

import (
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

var (
	// ErrNoRDMA says that there is no class/infiniband: no RDMA core is loaded,
	// or the tree is not one of sysfs. A host with RDMA but without a device has
	// an empty class/infiniband, which is no error.
	ErrNoRDMA = errors.New("no RDMA in this kernel: no class/infiniband")
	// ErrNoDevice says that there is no device of the name asked for.
	ErrNoDevice = errors.New("no such RDMA device")
	// ErrNoPort says that the device has no port of the number asked for.
	ErrNoPort = errors.New("no such port")
	// ErrVanished says that a device went away while it was read.
	ErrVanished = errors.New("device vanished while it was read")
	// ErrNonsense marks a file whose text the kernel never writes.
	ErrNonsense = errors.New("makes no sense")
	// errNotRegular keeps pipes and device nodes of a copied tree closed.
	errNotRegular = errors.New("not a regular file")
)

func nonsense(text []byte) error { return fmt.Errorf("%q %w", text, ErrNonsense) }

// warnings collects what could not be read of one object.
type warnings struct {
	object string
	list   []rdma.Warning
}

func (w *warnings) add(op string, err error) {
	w.list = append(w.list, rdma.Warning{Object: w.object, Op: op, Err: err})
}
