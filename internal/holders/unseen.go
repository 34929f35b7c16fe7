package holders

import (
	"fmt"

	"github.com/ibctl/ibctl/internal/nldev"
)

// unseenHolders are users that must be there, and whose process could not be
// found.
func unseenHolders(f Facts) []Holder {
	var all []Holder
	add := func(n int, why string) {
		h := Holder{Device: f.Device.Name, Kind: KindProcess, Objects: map[string]int{string(nldev.Contexts): n}}
		h.judge(f, &usage{objects: h.Objects})
		h.Reason = why + "; " + h.Reason
		all = append(all, h)
	}
	if n := strayContexts(f); n > 0 {
		add(n, "made by a process that is hidden from here or has ended, and held by one that is not found")
	}
	if n := f.Driver.Unaccounted.Or(0); n > 0 && len(all) == 0 && f.Hidden == 0 {
		add(n, fmt.Sprintf("%s is referenced more often than files of its devices are open: one may be on its way through a socket", f.Driver.Module))
	}
	return all
}

// strayContexts counts contexts whose maker is not named and that no file
// without a named maker explains.
func strayContexts(f Facts) int {
	o := originsOf(f)
	type file struct{ number, pid, fd int }
	files := map[file]bool{}
	for _, open := range f.Open {
		if _, known := o.opener(open); known || !isVerbs(open.Name) {
			continue
		}
		if open.File != 0 {
			files[file{number: open.File}] = true
		} else {
			files[file{0, open.PID, open.FD.Or(-1)}] = true
		}
	}
	return max(0, o.orphans-len(files))
}

// unseen says what could not be looked at.
func unseen(f Facts) []string {
	var all []string
	if f.Hidden > 0 {
		all = append(all, fmt.Sprintf("the open files of %d processes of other users; root sees them", f.Hidden))
	}
	if !f.WholeHost {
		all = append(all, "processes outside this PID namespace")
	}
	return all
}
