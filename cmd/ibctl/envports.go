package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/inside"
	"github.com/ibctl/ibctl/internal/libenv"
	"github.com/ibctl/ibctl/internal/libenv/source"
	"github.com/ibctl/ibctl/plugins/roce"
)

// portsVerb is what ibctl calls itself with where another process is, to tell which
// ports are seen from there.
const portsVerb = "__ports"

// seenPorts are all ports, the way libraries see them.
type seenPorts struct {
	Ports []libenv.Port
	// Told are warnings as texts, on their way from one ibctl to another.
	Told     []toldWarning
	warnings []rdma.Warning
	netns    string // from where they were seen, if that is elsewhere
}

type toldWarning struct{ Object, Op, Text string }

// portsSeen reads the ports that are seen by whom the variables are of. Where it can't be
// where a process is, it says so, and tells what is seen from here.
func (inv *invocation) portsSeen(ctx context.Context, c *cli.Context) (seenPorts, error) {
	if !c.IsSet("pid") || inv.root != "" {
		return inv.readPorts(ctx)
	}
	netns, err := source.NetnsOf("/proc", c.Int("pid"))
	if err == nil && !netns.Own {
		var seen seenPorts
		seen, err = portsFrom(ctx, netns)
		if _, refused := errors.AsType[*inside.EntryError](err); !refused {
			return seen, err
		}
	}
	seen, failed := inv.readPorts(ctx)
	if err != nil {
		seen.warnings = append(seen.warnings, rdma.Warning{Object: fmt.Sprintf("process %d", c.Int("pid")), Op: "look from its network namespace",
			Err: fmt.Errorf("%w: devices, GIDs and interfaces are told as ibctl sees them here, and the process may see others", err)})
	}
	return seen, failed
}

// portsFrom has ibctl look from another network namespace.
func portsFrom(ctx context.Context, netns source.Netns) (seen seenPorts, err error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe", portsVerb)
	cmd.Args[0] = "ibctl"
	cmd.Stdout, cmd.Stderr = &out, &said
	err = inside.Run(netns.Path, cmd)
	switch _, ended := errors.AsType[*exec.ExitError](err); {
	case ctx.Err() != nil:
		return seen, context.Cause(ctx)
	case ended:
		return seen, fmt.Errorf("look from network namespace %s: %s", netns.Label, strings.TrimSpace(said.String()))
	case err != nil:
		return seen, err
	}
	if err := json.Unmarshal(out.Bytes(), &seen); err != nil {
		return seen, fmt.Errorf("look from network namespace %s: %w", netns.Label, err)
	}
	seen.netns = netns.Label
	for _, w := range seen.Told {
		seen.warnings = append(seen.warnings, rdma.Warning{Object: w.Object, Op: w.Op, Err: errors.New(w.Text)})
	}
	return seen, nil
}

// tellPorts is the other end of portsFrom. The clients that ibctl serve keeps are not
// here.
func (inv *invocation) tellPorts() error {
	inv.socket = noSocket
	ctx, stop := interruptible(context.Background())
	defer stop()
	seen, err := inv.readPorts(ctx)
	if err != nil {
		return err
	}
	for _, w := range seen.warnings {
		seen.Told = append(seen.Told, toldWarning{w.Object, w.Op, w.Err.Error()})
	}
	return json.NewEncoder(inv.stdout).Encode(seen)
}

// readPorts reads all ports from here. A host without RDMA has none.
func (inv *invocation) readPorts(ctx context.Context) (seen seenPorts, err error) {
	found, err := inv.targets(ctx, nil, host.Summary)
	if errors.Is(err, host.ErrNoRDMA) {
		seen.warnings = []rdma.Warning{{Object: "devices", Op: "list", Err: err}}
		return seen, nil
	}
	if seen.warnings = found.warnings; err != nil || len(found.targets) == 0 {
		return seen, err
	}
	s, err := inv.openSession(ctx, devicesOf(found.targets), roce.Name)
	if err != nil {
		return seen, err
	}
	ports, warnings := libraryPorts(ctx, s, found.targets)
	seen.Ports = ports
	seen.warnings = append(append(seen.warnings, warnings...), s.close()...)
	return seen, orInterruption(ctx, nil)
}
