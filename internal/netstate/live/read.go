package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
)

// Read reads the netdevs of all namespaces that can be found and entered now.
// One that cannot be read is a warning, and makes the snapshot partial; without
// the caller's own there is none. It may be called by any number of goroutines
// at once.
func Read(ctx context.Context) (netstate.Snapshot, []rdma.Warning, error) {
	places, partial, err := Places()
	if err != nil {
		return netstate.Snapshot{}, nil, err
	}
	s, warnings, err := ReadAt(ctx, places)
	s.Partial = s.Partial || partial
	return s, warnings, err
}

// ReadAt is Read in namespaces that [Places] found, the first of which must be
// there. One that has gone since is left out.
func ReadAt(ctx context.Context, places []Place) (netstate.Snapshot, []rdma.Warning, error) {
	r := reader{}
	defer r.close()
	for i, p := range places {
		if ctx.Err() != nil {
			return netstate.Snapshot{}, nil, context.Cause(ctx)
		}
		err := r.read(p, i == 0)
		switch {
		case err == nil, i > 0 && errors.Is(err, fs.ErrNotExist):
		case i == 0:
			return netstate.Snapshot{}, nil, fmt.Errorf("read netdevs: %w", err)
		case errors.Is(err, unix.EPERM): // says that partial does
			r.partial = true
		default:
			r.partial = true
			r.warnings = append(r.warnings, rdma.Warning{Object: "network namespace " + p.Name, Op: "read netdevs", Err: err})
		}
	}
	return r.snapshot(), r.warnings, nil
}

// reader collects what namespaces hold.
type reader struct {
	spaces   []*space
	warnings []rdma.Warning
	partial  bool
}

func (r *reader) close() {
	for _, s := range r.spaces {
		s.close()
	}
}

// read reads one namespace. The caller's own need not be entered, which takes no
// privilege then.
func (r *reader) read(p Place, own bool) error {
	s, err := openSpace(p, own)
	if err != nil {
		return err
	}
	if err := s.read(); err != nil {
		s.close()
		return err
	}
	r.spaces = append(r.spaces, s)
	return nil
}

// snapshot puts the namespaces together: only now is it known which of them the
// ids mean that each uses for the others.
func (r *reader) snapshot() netstate.Snapshot {
	s := netstate.Snapshot{Partial: r.partial}
	for _, from := range r.spaces {
		ns := netstate.Namespace{ID: from.place.ID, Name: from.place.Name, Path: from.place.Path}
		for _, l := range from.links {
			r.resolve(from, &l)
			s.Partial = s.Partial || l.LowerUnseen
			ns.Netdevs = append(ns.Netdevs, l.Netdev)
		}
		slices.SortFunc(ns.Netdevs, func(a, b netstate.Netdev) int { return cmp.Compare(a.Index, b.Index) })
		s.Namespaces = append(s.Namespaces, ns)
	}
	return s
}

// resolve finds the netdev that l lies on.
func (r *reader) resolve(from *space, l *link) {
	if l.lower == 0 {
		return
	}
	netns := from.place.ID
	if l.nsid >= 0 {
		netns = r.namespace(from, l.nsid)
	}
	l.Lower, l.LowerUnseen = netstate.Ref{Netns: netns, Index: l.lower}, netns == 0
	if l.LowerUnseen {
		l.Lower = netstate.Ref{}
	}
}

// namespace returns the inode of the namespace that from calls nsid; 0 if none
// of those seen is it.
func (r *reader) namespace(from *space, nsid int32) uint64 {
	for _, other := range r.spaces {
		id, asked := from.nsids[other]
		if !asked {
			id = from.nsid(other)
			from.nsids[other] = id
		}
		if id == nsid {
			return other.place.ID
		}
	}
	return 0
}
