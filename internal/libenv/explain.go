package libenv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
)

// Variable is one that is set.
type Variable struct {
	Name, Value string
	// Source says where: [Environment], or a file.
	Source string
}

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	Note    Severity = "note"    // worth knowing
	Warning Severity = "warning" // it may not do what is meant
	Error   Severity = "error"   // it does nothing, or harm
)

// Finding is something that is wrong with a setting on this host.
type Finding struct {
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	Remedy   string   `json:"remedy,omitzero"`
}

// Explanation is what a variable does on this host.
type Explanation struct {
	Variable string `json:"variable"`
	Value    string `json:"value"`
	Source   string `json:"source"`
	// Netns is the network namespace from which devices, GIDs and interfaces were
	// looked at; empty for that of whoever asks.
	Netns    string    `json:"netns,omitzero"`
	Meaning  string    `json:"meaning"`
	Selects  []string  `json:"selects"`
	Findings []Finding `json:"findings"`
}

func (e *Explanation) find(severity Severity, remedy, format string, args ...any) {
	e.Findings = append(e.Findings, Finding{severity, fmt.Sprintf(format, args...), remedy})
}

// settings are the variables by name.
type settings struct {
	byName map[string]Variable
	ports  []Port
}

func (s settings) value(name string) (string, bool) {
	v, ok := s.byName[name]
	return v.Value, ok && v.Value != ""
}

// Concerned tells whether a variable is one of those that are explained.
func Concerned(name string) bool {
	return strings.HasPrefix(name, "NCCL_") || strings.HasPrefix(name, "UCX_")
}

// Explain says what the variables of NCCL and UCX select among the ports of a host,
// and what is wrong with them, in the order of their names. What a library does by
// itself where its index is not set is part of it.
func Explain(vars []Variable, ports []Port) []Explanation {
	s := settings{map[string]Variable{}, ports}
	for _, v := range vars {
		if _, set := s.byName[v.Name]; !set && Concerned(v.Name) {
			s.byName[v.Name] = v
		}
	}
	s.addUnset("NCCL_", "NCCL_IB_GID_INDEX")
	s.addUnset("UCX_", "UCX_IB_GID_INDEX")
	names := make([]string, 0, len(s.byName))
	for name := range s.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	all := make([]Explanation, 0, len(names))
	for _, name := range names {
		all = append(all, s.explain(s.byName[name]))
	}
	return all
}

// Sources that are no files.
const (
	Environment = "environment" // of the process
	NotSet      = "not set"     // a variable that matters though nobody has set it
)

func (s settings) addUnset(prefix, name string) {
	if _, set := s.byName[name]; set {
		return
	}
	for other := range s.byName {
		if strings.HasPrefix(other, prefix) {
			s.byName[name] = Variable{Name: name, Source: NotSet}
			return
		}
	}
}

func (s settings) explain(v Variable) Explanation {
	e := Explanation{Variable: v.Name, Value: v.Value, Source: v.Source, Selects: []string{}, Findings: []Finding{}}
	explainers := map[string]func(*Explanation){
		"NCCL_IB_HCA": s.ncclHCA, "NCCL_IB_GID_INDEX": s.ncclIndex,
		"NCCL_IB_ROCE_VERSION_NUM": s.ncclVersion, "NCCL_IB_ADDR_FAMILY": s.ncclFamily, "NCCL_IB_ADDR_RANGE": s.ncclRange,
		"NCCL_IB_DISABLE": s.ncclDisable, "NCCL_NET": s.ncclNet, "NCCL_SOCKET_IFNAME": s.ncclSocket,
		"NCCL_IB_TC": s.trafficClass, "UCX_IB_TRAFFIC_CLASS": s.trafficClass,
		"UCX_NET_DEVICES": s.ucxDevices, "UCX_IB_GID_INDEX": s.ucxIndex, "UCX_IB_ROCE_SUBNETS": s.ucxSubnets,
		"UCX_IB_ROCE_LOCAL_SUBNET": s.ucxLocalSubnet, "UCX_TLS": s.ucxTLS,
	}
	if explain, ok := explainers[v.Name]; ok {
		explain(&e)
	} else {
		e.Meaning = "it does not choose devices or GIDs"
	}
	return e
}

// passedOver says which ports of those that are named are not used.
func (e *Explanation) passedOver(library string, p Port) {
	state, _ := p.State.Get()
	e.find(Warning, "", "%s is %v: %s passes it over", p.Name(), state, library)
}

// judgeGID says what is wrong with the entry that a library uses on a port.
func (e *Explanation) judgeGID(p Port, entry rdma.GIDEntry) {
	better := ""
	if best, ok := ucxGID(p); ok && best.Index != entry.Index {
		better = fmt.Sprintf("index %d of %s is %s", best.Index, p.Name(), describe(best))
	}
	switch {
	case p.Unread:
		e.find(Note, "", "the GID table of %s can't be read", p.Name())
	case entry.Empty():
		e.find(Error, better, "slot %d of %s is empty", entry.Index, p.Name())
	case !p.roce():
	case ncclVersion(entry.Type) == 1:
		e.find(Warning, better, "slot %d of %s is RoCE v1, which no router passes on, and no peer of v2 understands", entry.Index, p.Name())
	case entry.GID.IsLinkLocal():
		e.find(Warning, better, "slot %d of %s is link-local: it reaches no other subnet", entry.Index, p.Name())
	}
}

// judgeAlike says where one index means different things on the ports.
func (e *Explanation) judgeAlike(choices []Choice) {
	for _, c := range choices[min(1, len(choices)):] {
		a, b := choices[0].Entry, c.Entry
		if a.Empty() || b.Empty() {
			continue // said already
		}
		if isIPv6(a.GID) != isIPv6(b.GID) || a.Type != b.Type {
			e.find(Warning, "ibctl gid resolve --device DEV,DEV --for nccl finds settings for several HCAs",
				"the index means different things: %s on %s, and %s on %s", describe(a), choices[0].Port.Name(), describe(b), c.Port.Name())
			return
		}
	}
}

// selectGID notes what is used on a port.
func (e *Explanation) selectGID(c Choice) {
	e.Selects = append(e.Selects, fmt.Sprintf("%s: %d, %s", c.Port.Name(), c.Entry.Index, describe(c.Entry)))
}
