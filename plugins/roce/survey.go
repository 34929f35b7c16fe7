package roce

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
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
	sources func(tables func(context.Context) []survey.Table) survey.Sources
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

// tables reads the tables of the ports.
func (a *auditor) tables(ctx context.Context, ports []portOf) []survey.Table {
	results := make([]chan survey.Table, len(ports))
	for i, p := range ports {
		results[i] = make(chan survey.Table, 1)
		go func() { results[i] <- a.table(ctx, p) }()
	}
	tables := make([]survey.Table, len(ports))
	for i, result := range results {
		tables[i] = <-result
	}
	return tables
}

func (a *auditor) table(ctx context.Context, p portOf) survey.Table {
	t := survey.Table{PortName: survey.PortName{Device: p.device.Name, Port: p.number}}
	err := a.devices.Use(ctx, p.id, func(ctx context.Context, dev *plugin.Device) (err error) {
		t.GIDTable, t.Warnings, err = dataOf(dev).dir.GIDs(ctx, dev.Info().Name, p.number, false)
		return notFound(err)
	})
	t.Err = err
	return t
}

// settled takes a survey of the ports. That it did not settle is a warning: what
// was seen last may be of a moment in between.
func (a *auditor) settled(ctx context.Context, ports []portOf) (*survey.Survey, error) {
	read := func(ctx context.Context) []survey.Table { return a.tables(ctx, ports) }
	s, err := survey.Settled(ctx, a.sources(read), (*survey.Survey).Sound)
	if s == nil {
		return nil, fmt.Errorf("survey: %w", err)
	}
	if err != nil {
		s.Warnings = append(s.Warnings, rdma.Warning{Object: "network interfaces and GID tables", Op: "wait until they settle", Err: err})
	}
	return s, nil
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
