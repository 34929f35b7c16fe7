package resources

import (
	"context"
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/procfs"
)

var (
	// ErrUnavailable says that the kernel does not tell of objects at all.
	ErrUnavailable = nldev.ErrUnavailable
	// ErrUnsupported says that this kernel does not list objects of a kind.
	ErrUnsupported = nldev.ErrUnsupported
	// ErrNoDevice says that the device is gone.
	ErrNoDevice = nldev.ErrNoDevice
)

// Options change what is listed.
type Options struct {
	// DriverObjects adds those that drivers make for their own use (Linux 6.11).
	DriverObjects bool
}

func (o Options) forKernel() []nldev.ResourceOption {
	if o.DriverObjects {
		return []nldev.ResourceOption{nldev.DriverObjects}
	}
	return nil
}

// Reader reads the objects of this host's devices. It is not for concurrent use.
type Reader struct {
	nl   *nldev.Conn
	who  *owners
	opts Options
}

// Open returns a Reader for the devices of the calling thread's network namespace.
// The caller closes it. [ErrUnavailable] is a kernel without RDMA netlink.
func Open(opts Options) (*Reader, error) {
	nl, err := nldev.Dial()
	if err != nil {
		return nil, err
	}
	return NewReader(nl, procfs.Live(), opts), nil
}

// NewReader returns a Reader of what nl tells, with the processes of proc. Close
// closes nl.
func NewReader(nl *nldev.Conn, proc procfs.FS, opts Options) *Reader {
	return &Reader{nl: nl, who: newOwners(proc), opts: opts}
}

// Forget makes r read anew who has which pid, which it does once otherwise.
func (r *Reader) Forget() { r.who = newOwners(r.who.proc) }

// Close frees what Open opened.
func (r *Reader) Close() error { return r.nl.Close() }

// List reads the objects of one kind that a device has, in the kernel's order.
// What could be read is returned beside an error about what could not.
func (r *Reader) List(ctx context.Context, k Kind, d rdma.Device) ([]Object, error) {
	index, ok := d.Index.Get()
	if !ok {
		return nil, fmt.Errorf("%s: its index is unknown: %w", d.Name, ErrUnavailable)
	}
	who := r.who
	switch opts := r.opts.forKernel(); k {
	case QP:
		return objects(k, d, who, describeQP, ownQP)(r.nl.QPs(ctx, index, opts...))
	case CQ:
		return objects(k, d, who, describeCQ, ownCQ)(r.nl.CQs(ctx, index, opts...))
	case MR:
		return objects(k, d, who, describeMR, ownMR)(r.nl.MRs(ctx, index, opts...))
	case PD:
		return objects(k, d, who, describePD, ownPD)(r.nl.PDs(ctx, index, opts...))
	case Ctx:
		return objects(k, d, who, describeContext, ownContext)(r.nl.UserContexts(ctx, index, opts...))
	case SRQ:
		return objects(k, d, who, describeSRQ, ownSRQ)(r.nl.SRQs(ctx, index, opts...))
	case CMID:
		return objects(k, d, who, describeCMID, ownCMID)(r.nl.CMIDs(ctx, index, opts...))
	}
	return nil, fmt.Errorf("there are no objects of kind %q", k)
}

// What each kind has of its owner and its driver.
func ownQP(q nldev.QP) (nldev.Owner, nldev.Driver)           { return q.Owner, q.Driver }
func ownCQ(q nldev.CQ) (nldev.Owner, nldev.Driver)           { return q.Owner, q.Driver }
func ownMR(m nldev.MR) (nldev.Owner, nldev.Driver)           { return m.Owner, m.Driver }
func ownPD(p nldev.PD) (nldev.Owner, nldev.Driver)           { return p.Owner, p.Driver }
func ownContext(x nldev.Context) (nldev.Owner, nldev.Driver) { return x.Owner, x.Driver }
func ownSRQ(s nldev.SRQ) (nldev.Owner, nldev.Driver)         { return s.Owner, s.Driver }
func ownCMID(id nldev.CMID) (nldev.Owner, nldev.Driver)      { return id.Owner, id.Driver }

// objects puts together what is known of each of the kernel's objects.
func objects[T any](k Kind, d rdma.Device, who *owners, describe func(*list, T), own func(T) (nldev.Owner, nldev.Driver)) func([]T, error) ([]Object, error) {
	return func(all []T, err error) ([]Object, error) {
		out := make([]Object, 0, len(all))
		for _, v := range all {
			l := list{make(Attrs, 0, len(keys[k])+len(ownerKeys)+2)}
			l.text("device", d.Name)
			add(&l, "device_index", d.Index)
			describe(&l, v)
			owner, driver := own(v)
			who.describe(&l, owner)
			l.driver(driver)
			out = append(out, Object{k, l.Attrs})
		}
		return out, err
	}
}

// Counts reads how many objects of each kind a device has, and of how many at most
// where the kernel says so: "qp", "qp_max".
func (r *Reader) Counts(ctx context.Context, d rdma.Device) (Attrs, error) {
	index, ok := d.Index.Get()
	if !ok {
		return nil, fmt.Errorf("%s: its index is unknown: %w", d.Name, ErrUnavailable)
	}
	counts, err := r.nl.Resources(ctx, index, r.opts.forKernel()...)
	if err != nil && !errors.Is(err, nldev.ErrMalformed) {
		return nil, err
	}
	var l list
	l.text("device", d.Name)
	add(&l, "device_index", d.Index)
	for _, n := range counts {
		l.number(n.Kind, n.Count)
		add(&l, n.Kind+"_max", n.Max)
	}
	return l.Attrs, err
}
