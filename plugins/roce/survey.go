package roce

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/roce/gidrules"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
	"github.com/ibctl/ibctl/plugins/roce/survey"
)

// auditor answers questions that take more than one device to answer. It keeps a
// device no longer than it takes to read its tables: whoever wants to remove one
// does not wait for a survey to settle.
type auditor struct {
	rocev1.UnimplementedAuditServer
	devices *plugin.Devices
	// sources reads what a survey needs beside tables.
	sources func(survey.Tables) survey.Sources
}

// portOf is a port that was selected.
type portOf struct {
	target int
	id     *pluginv1.DeviceID
	device rdma.Device
	number uint32
}

// selection are the ports of a request, and the selectors that name none.
type selection struct {
	ports    []portOf
	failures map[int]error // by target
}

// choose finds the ports that selectors name.
func (a *auditor) choose(ctx context.Context, selectors []*rocev1.PortSelector) selection {
	s := selection{failures: map[int]error{}}
	for i, sel := range selectors {
		err := a.devices.Use(ctx, sel.GetDevice(), func(_ context.Context, dev *plugin.Device) error {
			numbers, err := ports(dev.Info(), &rocev1.ListGIDsRequest{Port: sel.Port})
			for _, n := range numbers {
				s.ports = append(s.ports, portOf{i, sel.GetDevice(), dev.Info(), n})
			}
			return err
		})
		if err != nil {
			s.failures[i] = err
		}
	}
	return s
}

// portTables are the tables of some ports; it implements [survey.Tables].
type portTables struct {
	devices *plugin.Devices
	ports   []portOf
}

// Read implements [survey.Tables].
func (t portTables) Read(ctx context.Context) []survey.Table {
	tables := make([]survey.Table, len(t.ports))
	atOnce(len(tables), func(i int) { tables[i] = t.read(ctx, t.ports[i]) })
	return tables
}

func (t portTables) read(ctx context.Context, p portOf) survey.Table {
	out := survey.Table{PortName: survey.PortName{Device: p.device.Name, Port: p.number}}
	out.Err = t.devices.Use(ctx, p.id, func(ctx context.Context, dev *plugin.Device) (err error) {
		out.GIDTable, out.Warnings, err = dataOf(dev).dir.GIDs(ctx, dev.Info().Name, p.number, false)
		return notFound(err)
	})
	return out
}

// Same implements [survey.Tables]. What could not be read is not looked at again.
func (t portTables) Same(ctx context.Context, tables []survey.Table) bool {
	var other atomic.Bool
	atOnce(len(tables), func(i int) {
		if tables[i].Err == nil && !t.same(ctx, t.ports[i], tables[i].GIDTable) {
			other.Store(true)
		}
	})
	return !other.Load()
}

func (t portTables) same(ctx context.Context, p portOf, table sysfs.GIDTable) (same bool) {
	err := t.devices.Use(ctx, p.id, func(ctx context.Context, dev *plugin.Device) (err error) {
		same, err = dataOf(dev).dir.SameGIDs(ctx, p.number, table)
		return err
	})
	return same && err == nil
}

// atOnce does something n times, all at the same time.
func atOnce(n int, do func(i int)) {
	var working sync.WaitGroup
	for i := range n {
		working.Go(func() { do(i) })
	}
	working.Wait()
}

// settled takes a survey of the ports, and the reports of its audit. That it did not
// settle is a warning: what was seen last may be of a moment in between.
func (a *auditor) settled(ctx context.Context, ports []portOf) (*survey.Survey, []survey.Report, error) {
	var judged *survey.Survey
	var reports []survey.Report
	judge := func(s *survey.Survey) bool {
		judged, reports = s, s.Audit(rebuild(ports))
		return survey.Sound(reports)
	}
	s, err := survey.Settled(ctx, a.sources(portTables{a.devices, ports}), judge)
	if s == nil {
		return nil, nil, fmt.Errorf("survey: %w", err)
	}
	if err != nil {
		s.Warnings = append(s.Warnings, rdma.Warning{Object: "network interfaces and GID tables", Op: "wait until they settle", Err: err})
	}
	if judged != s {
		judge(s)
	}
	return s, reports, nil
}

// rebuild returns the commands that make the device of a port anew.
func rebuild(ports []portOf) survey.Rebuild {
	return func(p survey.PortName, netdev string) []string {
		for _, one := range ports {
			if one.device.Name == p.Device {
				return gidrules.Rebuild(p.Device, one.device.Driver, one.device.PCIAddress, netdev)
			}
		}
		return nil
	}
}
