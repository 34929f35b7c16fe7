package holders

import (
	"context"
	"errors"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// coreModules are those whose users matter to who wants to unload them.
var coreModules = []string{"ib_core", "rdma_cm"}

// findModules learns which module drives each device, and what it can do.
func (s *scan) findModules(ctx context.Context) {
	var used []sysfs.Module
	add := func(name string) {
		m, err := s.sys.Module(name)
		switch {
		case err == nil:
			used = append(used, m)
		case !errors.Is(err, sysfs.ErrNoModule):
			s.warn(name, "read module", err)
		}
	}
	for _, name := range coreModules {
		add(name)
	}
	for _, d := range s.all {
		module := s.moduleBehind(ctx, d)
		s.drivers[d.Name] = module
		if _, known := s.modules[module]; known || module == "" {
			continue
		}
		s.modules[module] = Driver{Module: module, Disassociates: s.canDisassociate(module)}
		add(module)
	}
	s.uses = moduleUses(used)
}

// moduleBehind asks uverbs, which knows the driver's number, where it is loaded.
// Where it is not, nobody can hold the device by it.
func (s *scan) moduleBehind(ctx context.Context, d rdma.Device) string {
	if s.nl != nil && d.Index.IsKnown() && s.uverbsLoaded() {
		c, err := s.nl.CharDev(ctx, "uverbs", d.Index, rdma.Opt[uint32]{})
		if id, ok := c.DriverID.Get(); err == nil && ok {
			return moduleOf[id]
		}
	}
	if d.Driver == "rxe" {
		return "rdma_rxe"
	}
	return ""
}

// uverbsLoaded keeps a question from loading the module.
func (s *scan) uverbsLoaded() bool {
	_, err := s.sys.Module("ib_uverbs")
	return err == nil
}

// canDisassociate looks for the function in the type information of the module
// that is loaded, and goes by what is known of the driver where there is none.
func (s *scan) canDisassociate(module string) rdma.Opt[bool] {
	can, err := s.sys.ModuleNames(module, disassociateSuffix)
	switch {
	case err == nil && can, disassociates[module]:
		return rdma.Known(true)
	case err == nil:
		return rdma.Known(false)
	}
	return rdma.Opt[bool]{}
}

// references reads how often each driver's module is referenced, by others than
// modules.
func (s *scan) references() map[string]int {
	found := map[string]int{}
	for name := range s.modules {
		m, err := s.sys.Module(name)
		if n, ok := m.References.Get(); err == nil && ok {
			found[name] = n - len(m.Holders)
		}
	}
	return found
}

// judgeReferences counts the references that no open file explains. An open
// verbs device references its driver where that cannot disassociate
// (ib_uverbs_open). The lesser of two readings counts: files may have been opened
// or closed while they were looked for.
func (s *scan) judgeReferences(before, after map[string]int) {
	files := map[string]int{}
	for device, open := range s.open {
		files[s.drivers[device]] += distinctVerbs(open)
	}
	for name, driver := range s.modules {
		a, okA := before[name]
		b, okB := after[name]
		if can, known := driver.Disassociates.Get(); can || !known || !okA || !okB {
			continue
		}
		driver.Unaccounted = rdma.Known(max(0, min(a, b)-files[name]))
		s.modules[name] = driver
	}
}

// distinctVerbs counts open verbs files; a descriptor that could not be compared
// counts as one.
func distinctVerbs(open []OpenFile) (n int) {
	seen := map[int]bool{}
	for _, o := range open {
		if !isVerbs(o.Name) || o.File != 0 && seen[o.File] {
			continue
		}
		seen[o.File] = true
		n++
	}
	return n
}
