package survey

import (
	"slices"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/plugins/roce/gidrules"
)

// Report is what an audit says of one port.
type Report struct {
	PortName
	// Netdev is behind the port, with its namespace if that is another one.
	Netdev string
	Types  []rdma.GIDType
	// Slots is the size of the table, Used how many are in use, Expected how many
	// would be by the rules.
	Slots, Used, Expected int
	Severity              gidrules.Severity
	Findings              []gidrules.Finding
	Warnings              []rdma.Warning
	Err                   error // the table could not be read, and nothing else is known
}

// Rebuild returns the commands that make a port's device anew; netdev is behind it.
type Rebuild func(p PortName, netdev string) []string

// Audit holds the tables of s against the rules.
func (s *Survey) Audit(rebuild Rebuild) []Report {
	world := gidrules.NewWorld(&s.Netdevs)
	carriers, place := s.carriers(world)
	reports := make([]Report, len(s.Tables))
	asked := map[int]int{} // report, by the place of its port among the carriers
	for i, t := range s.Tables {
		c, known := place[t.PortName]
		if !known {
			c = len(carriers)
			carriers = append(carriers, gidrules.Carrier{Name: t.String()})
		}
		asked[c] = i
		reports[i] = report(world, t, carriers[c].Expectation, rebuild)
	}
	across := world.Across(carriers, func(c int) bool { i, ok := asked[c]; return ok && s.Tables[i].Err == nil })
	for c, findings := range across {
		r := &reports[asked[c]]
		r.Findings = append(r.Findings, findings...)
	}
	for i := range reports {
		reports[i].sum()
	}
	return reports
}

// carriers works out what belongs to every port of the host.
func (s *Survey) carriers(world *gidrules.World) ([]gidrules.Carrier, map[PortName]int) {
	carriers := make([]gidrules.Carrier, len(s.Ports))
	place := map[PortName]int{}
	for i, p := range s.Ports {
		carriers[i] = gidrules.Carrier{Name: p.String(), Expectation: world.Expect(s.Behind[p])}
		place[p] = i
	}
	return carriers, place
}

func report(world *gidrules.World, t Table, e gidrules.Expectation, rebuild Rebuild) Report {
	r := Report{PortName: t.PortName, Slots: t.Slots, Warnings: t.Warnings, Err: t.Err}
	if t.Err != nil {
		return r
	}
	p := port(t, e, rebuild)
	r.Types = gidrules.Types(t.Entries)
	for _, entry := range t.Entries {
		if !entry.Empty() {
			r.Used++
		}
	}
	if e.Netdev != nil {
		r.Netdev = e.Netdev.Display()
		r.Expected = (min(len(e.Defaults), 1) + e.Entered()) * max(len(r.Types), 1)
	}
	r.Findings = world.Judge(p, e)
	return r
}

// port hands a table to the rules.
func port(t Table, e gidrules.Expectation, rebuild Rebuild) gidrules.Port {
	p := gidrules.Port{Device: t.Device, Number: t.Port, Slots: t.Slots, Entries: t.Entries}
	if e.Netdev != nil {
		p.Rebuild = rebuild(t.PortName, e.Netdev.Name)
	}
	return p
}

func (r *Report) sum() {
	if r.Err != nil || len(r.Warnings) > 0 {
		r.Severity = gidrules.Unknown
	}
	for _, f := range r.Findings {
		r.Severity = gidrules.Worst(r.Severity, f.Severity)
	}
	slices.SortStableFunc(r.Findings, func(a, b gidrules.Finding) int { return rank(b.Severity) - rank(a.Severity) })
}

// rank orders severities from harmless to bad.
func rank(s gidrules.Severity) int {
	if s == gidrules.Unknown {
		return 0
	}
	return int(s)
}

// Sound tells whether the tables are what the rules say. It is what [Settled]
// wants to know.
func (s *Survey) Sound() bool { return Sound(s.Audit(func(PortName, string) []string { return nil })) }

// Sound tells whether an audit found that the tables are what the rules say.
func Sound(reports []Report) bool {
	for _, r := range reports {
		for _, f := range r.Findings {
			if f.Index.IsKnown() || f.Kind == gidrules.Missing {
				return false
			}
		}
	}
	return true
}

// Explain answers a question about one port of those whose tables were read.
func (s *Survey) Explain(t Table, q gidrules.Question, rebuild Rebuild) gidrules.Explanation {
	world := gidrules.NewWorld(&s.Netdevs)
	carriers, place := s.carriers(world)
	var e gidrules.Expectation
	if i, ok := place[t.PortName]; ok {
		e = carriers[i].Expectation
	}
	return world.Explain(port(t, e, rebuild), e, q, carriers)
}
