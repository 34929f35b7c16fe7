package holders

import (
	"cmp"
	"slices"
	"strings"
)

// Assess judges who holds a device and what its removal would do to each of
// them. It reads nothing.
func Assess(f Facts) Report {
	r := Report{Device: f.Device, Unseen: unseen(f)}
	r.Holders = slices.Concat(
		processHolders(f), kernelHolders(f), upperHolders(f), clientHolders(f), moduleHolders(f), subDeviceHolders(f),
	)
	slices.SortStableFunc(r.Holders, func(a, b Holder) int {
		if a.Waits != b.Waits {
			return cmp.Compare(order(b.Waits), order(a.Waits))
		}
		return cmp.Compare(severity[b.Effect], severity[a.Effect])
	})
	return r
}

func order(b bool) int {
	if b {
		return 1
	}
	return 0
}

// subDeviceHolders are the sub-devices, which the kernel removes first, and who
// holds those.
func subDeviceHolders(f Facts) []Holder {
	var all []Holder
	for _, sub := range f.SubDevices {
		of := Assess(sub)
		h := Holder{
			Device: f.Device.Name, Kind: KindSubDevice, Name: sub.Device.Name, Effect: Told,
			Reason: "is removed with it",
		}
		all = append(all, h)
		all = append(all, of.filter(func(h Holder) bool { return h.Kind != KindModule })...)
	}
	return all
}

// join lists names: "a, b and c".
func join(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
