package libenv

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sourcegid"
)

// DeviceList is the value of UCX_NET_DEVICES.
type DeviceList struct {
	All, Not bool
	Items    []string
}

// ParseDeviceList reads UCX_NET_DEVICES as UCX does. Ranges are understood by 1.22
// and newer, names without a port by 1.21.
func ParseDeviceList(value string) (l DeviceList) {
	value, l.Not = strings.CutPrefix(value, "^")
	for item := range strings.SplitSeq(value, ",") {
		if item != "" {
			l.Items = append(l.Items, expand(item)...)
		}
	}
	l.All = !l.Not && slices.Equal(l.Items, []string{"all"})
	return l
}

// deviceRange is compiled when it is first needed, which is in few runs of ibctl.
var deviceRange = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(.*)\[(\d+)-(\d+)\](.*)$`)
})

// maxRange keeps a list from filling the memory; UCX reads 64 names at most.
const maxRange = 256

// expand writes out mlx5_[0-3]:1.
func expand(item string) []string {
	m := deviceRange().FindStringSubmatch(item)
	if m == nil {
		return []string{item}
	}
	first, err1 := strconv.Atoi(m[2])
	last, err2 := strconv.Atoi(m[3])
	if err1 != nil || err2 != nil || last < first || last-first >= maxRange {
		return []string{item}
	}
	var all []string
	for n := first; n <= last; n++ {
		all = append(all, m[1]+strconv.Itoa(n)+m[4])
	}
	return all
}

// Selects tells whether UCX uses the port, if it is active. A name without a port
// is all ports of the device.
func (l DeviceList) Selects(p Port) bool {
	named := slices.Contains(l.Items, p.Name()) || slices.Contains(l.Items, p.Device)
	return l.All || named != l.Not
}

// ucxGID returns the entry that UCX uses on a port where no index is set: the first
// of the best class. ok is false where there is none that it would take.
func ucxGID(p Port) (best rdma.GIDEntry, ok bool) {
	if !p.roce() {
		return p.Entry(0), !p.Entry(0).Empty()
	}
	for _, e := range p.Table {
		if sourcegid.ClassOf(e, p.Link) == sourcegid.Unusable || e.GID.InterfaceID() == 0 {
			continue
		}
		if !ok || sourcegid.Compare(e, best, p.Link) < 0 {
			best, ok = e, true
		}
	}
	return best, ok
}
