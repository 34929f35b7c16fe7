package apiv1

import (
	"errors"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

// NewWarnings writes warnings down.
func NewWarnings(list []rdma.Warning) []*Warning {
	var out []*Warning
	for _, w := range list {
		out = append(out, &Warning{Object: w.Object, Op: w.Op, Error: pluginv1.NewError(w.Err)})
	}
	return out
}

// errNoReason stands in where a warning came without its error.
var errNoReason = errors.New("no reason given")

// Warnings reads warnings. errors.Is finds their errnos.
func Warnings(list []*Warning) []rdma.Warning {
	var out []rdma.Warning
	for _, w := range list {
		err := w.GetError().Err()
		if err == nil {
			err = errNoReason
		}
		out = append(out, rdma.Warning{Object: w.GetObject(), Op: w.GetOp(), Err: err})
	}
	return out
}
