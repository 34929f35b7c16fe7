package supervisor

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ibctl/ibctl/core/plugin"
)

// levels are the guarantees to try for a plugin, best first. What a host lacks
// is found out by trying.
//
// An unprivileged ibctl could make a PID namespace inside a user namespace. It
// does not: many hosts forbid or report that (AppArmor, max_user_namespaces,
// intrusion detection), fork becomes slower for it, and ibctl's own clients, which
// are what people without privileges use, get as much from being childless.
func (s *Supervisor) levels(spec Spec) []Guarantee {
	want := s.config.Levels
	if want == nil {
		want = []Guarantee{GuaranteePIDNamespace, GuaranteeChildless, GuaranteeCgroup, GuaranteeProcessGroup}
	}
	var levels []Guarantee
	for _, g := range want {
		switch {
		case g == GuaranteePIDNamespace && spec.HostPIDs:
		case g == GuaranteeChildless && (spec.Path != "" || !plugin.CanBeChildless):
			// Only our own word is good enough.
		default:
			levels = append(levels, g)
		}
	}
	return levels
}

func (s *Supervisor) newTree(g Guarantee, spec Spec) (tree, error) {
	switch g {
	case GuaranteePIDNamespace:
		return pidns{}, nil
	case GuaranteeChildless:
		return new(childless), nil
	case GuaranteeCgroup:
		return s.notedCgroup(spec.Name)
	case GuaranteeProcessGroup:
		return new(group), nil
	}
	return nil, fmt.Errorf("guarantee %v cannot be asked for", g)
}

// notedCgroup makes a control group, and remembers it on disk for as long as it
// exists: should ibctl be killed, the next one ends what lives in it.
func (s *Supervisor) notedCgroup(name string) (tree, error) {
	parent, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	unique := fmt.Sprintf("ibctl-%s-%s-%d", filepath.Base(s.dir.path), name, s.started.Add(1))
	path := filepath.Join(parent, unique)
	note := cgroupNote(s.dir.path, unique)
	if err := os.WriteFile(note, []byte(path), 0o600); err != nil {
		return nil, err
	}
	c, err := newCgroup(path, note)
	if err != nil {
		_ = os.Remove(note)
		return nil, err
	}
	return c, nil
}
