package sysfs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// ErrNoCMCounters says that a port counts no connection manager messages that
// could be seen here: the module ib_cm is not loaded, the port has no InfiniBand
// CM (iWARP), or the reader is in another network namespace than the device.
var ErrNoCMCounters = errors.New("no connection manager counters")

// CMCounter counts one kind of connection manager message at a port since the
// device was registered (drivers/infiniband/core/cm.c, cm_counter_groups).
type CMCounter struct {
	// Kind is the kernel's name: req, mra, rej, rep, rtu, dreq, drep, sidr_req,
	// sidr_rep, lap or apr.
	Kind string
	// TxMsgs counts retries too.
	TxMsgs, TxRetries, RxMsgs, RxDuplicates rdma.Opt[uint64]
}

// cmGroups are the directories of a port that hold a file for each kind.
var cmGroups = []struct {
	name  string
	field func(*CMCounter) *rdma.Opt[uint64]
}{
	{"cm_tx_msgs", func(c *CMCounter) *rdma.Opt[uint64] { return &c.TxMsgs }},
	{"cm_tx_retries", func(c *CMCounter) *rdma.Opt[uint64] { return &c.TxRetries }},
	{"cm_rx_msgs", func(c *CMCounter) *rdma.Opt[uint64] { return &c.RxMsgs }},
	{"cm_rx_duplicates", func(c *CMCounter) *rdma.Opt[uint64] { return &c.RxDuplicates }},
}

// CMCounters reads the connection manager's counters of a port, in the order in
// which the kernel numbers the kinds. It returns [ErrNoPort], [ErrVanished] or
// [ErrNoCMCounters]; a counter that can't be read is unknown, and a warning. The
// warnings speak of the device by the name given.
func (d *Device) CMCounters(name string, port uint32) ([]CMCounter, []rdma.Warning, error) {
	r := cmReader{warnings: warnings{object: fmt.Sprintf("%s/%d", name, port)}}
	p, err := d.dir.sub("ports/" + strconv.FormatUint(uint64(port), 10))
	if err != nil {
		return nil, nil, d.portError(r.object, err)
	}
	defer p.close()
	for _, g := range cmGroups {
		r.group(p, g.name, g.field)
	}
	if len(r.counters) == 0 {
		return nil, nil, fmt.Errorf("%s: %w", r.object, errors.Join(ErrNoCMCounters, r.failure))
	}
	slices.SortStableFunc(r.counters, func(a, b CMCounter) int { return cmRank(a.Kind) - cmRank(b.Kind) })
	return r.counters, r.list, nil
}

// cmReader gathers the counters of one port from their directories.
type cmReader struct {
	warnings
	counters []CMCounter
	failure  error // why a directory that is there could not be read
	buf      [64]byte
}

func (r *cmReader) group(port dir, name string, field func(*CMCounter) *rdma.Opt[uint64]) {
	group, err := port.sub(name)
	if err != nil {
		if !errors.Is(err, unix.ENOENT) {
			r.failure = err
		}
		return
	}
	defer group.close()
	kinds, err := group.names()
	if err != nil {
		r.add("list "+name, err)
	}
	for _, kind := range kinds {
		v, err := r.value(group, kind)
		if err != nil {
			r.add("read "+name+"/"+kind, err)
			continue
		}
		*field(r.of(kind)) = rdma.Known(v)
	}
}

func (r *cmReader) value(group dir, kind string) (uint64, error) {
	text, err := group.read(kind, r.buf[:])
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0, nonsense(text)
	}
	return v, nil
}

// of returns the counter of that kind, which is made if it isn't there.
func (r *cmReader) of(kind string) *CMCounter {
	for i := range r.counters {
		if r.counters[i].Kind == kind {
			return &r.counters[i]
		}
	}
	r.counters = append(r.counters, CMCounter{Kind: kind})
	return &r.counters[len(r.counters)-1]
}

// cmKinds is the kernel's order (include/rdma/ibta_vol1_c12.h; cm.c,
// CM_REQ_COUNTER and following).
var cmKinds = []string{"req", "mra", "rej", "rep", "rtu", "dreq", "drep", "sidr_req", "sidr_rep", "lap", "apr"}

// cmRank puts a kind that a later kernel may have behind the others.
func cmRank(kind string) int {
	if i := slices.Index(cmKinds, kind); i >= 0 {
		return i
	}
	return len(cmKinds)
}
