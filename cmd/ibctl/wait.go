package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
)

const argsWait = "DEV[/PORT]…"

func waitCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "wait", Category: categoryTool, Usage: "wait until a device is there, gone or ready, for scripts at boot",
		ArgsUsage: argsWait,
		Description: `CONDITION is present, absent, active (the port, or one of the device's) or gid=ADDRESS
(there is a GID for that IPv4 or IPv6 address). --timeout says for how long; without
it, for ever. Of several devices, all are waited for.`,
		UsageText: "ibctl wait mlx5_0 --for present --timeout 60s\tafter its driver was loaded\n" +
			"ibctl wait mlx5_0/1 --for active --timeout 60s\tuntil the link is up\n" +
			"ibctl wait eth2 --for gid=10.0.0.1 --timeout 30s -o name\tand print which GID it is",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "for", Usage: "what to wait for: `CONDITION`"},
		},
		Action: inv.wait,
	}
}

// The conditions, but for one with an address.
const (
	untilPresent = "present"
	untilAbsent  = "absent"
	untilActive  = "active"
	untilGID     = "gid="
)

func waitConditions() []string { return []string{untilPresent, untilAbsent, untilActive, untilGID} }

// waitItem is the item of a WaitResult document: a condition that has come about.
type waitItem struct {
	Device string           `json:"device"`
	Port   rdma.Opt[uint32] `json:"port,omitzero"`
	// Index is that of the GID.
	Index     rdma.Opt[uint32] `json:"index,omitzero"`
	Condition string           `json:"condition"`
	WaitedMS  float64          `json:"waited_ms"`
}

// name returns what was waited for, as an argument of ibctl.
func (i waitItem) name() string {
	name := i.Device
	for _, n := range []rdma.Opt[uint32]{i.Port, i.Index} {
		if v, ok := n.Get(); ok {
			name += fmt.Sprintf("/%d", v)
		}
	}
	return name
}

// awaited is what one argument is to become.
type awaited struct {
	arg       string
	condition string
	address   netip.Addr // of gid=
}

func (inv *invocation) wait(c *cli.Context) error {
	condition, address, err := parseCondition(c.String("for"))
	if err != nil {
		return err
	}
	if c.NArg() == 0 {
		return usagef("wait needs a device, or several")
	}
	var all []awaited
	for _, arg := range c.Args().Slice() {
		all = append(all, awaited{arg, condition, address})
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	ctx, stop := interruptible(ctx)
	defer stop()
	if inv.pool == nil {
		inv.pool = newSessionPool(inv) // the client that knows GIDs is asked again and again
		defer inv.pool.close()
	}
	items, err := inv.awaitAll(ctx, all)
	if err != nil {
		return orInterruption(ctx, err)
	}
	return output.Print(inv.printer(), output.Result[waitItem]{
		Kind: "WaitResult", Items: items,
		Body: output.Rows(items, waitColumns),
		Name: waitItem.name,
	})
}

func parseCondition(text string) (condition string, address netip.Addr, err error) {
	switch text {
	case untilPresent, untilAbsent, untilActive:
		return text, address, nil
	case "":
		return "", address, &usageError{problem: "wait needs --for", candidates: waitConditions()}
	}
	ip, isGID := strings.CutPrefix(text, untilGID)
	if !isGID {
		return "", address, &usageError{problem: "--for " + text + ": no such condition", candidates: waitConditions()}
	}
	if address, err = netip.ParseAddr(ip); err != nil || address.Zone() != "" {
		return "", address, usagef("--for %s: not an IPv4 or IPv6 address", text)
	}
	return text, address, nil
}

var waitColumns = []output.Column[waitItem]{
	{Header: "DEVICE", Cell: func(i waitItem) string { return i.Device }},
	{Header: "PORT", Cell: func(i waitItem) string { return text(i.Port) }, Right: true},
	{Header: "INDEX", Cell: func(i waitItem) string { return text(i.Index) }, Right: true},
	{Header: "CONDITION", Cell: func(i waitItem) string { return i.Condition }},
	{Header: "WAITED", Cell: func(i waitItem) string {
		return (time.Duration(i.WaitedMS) * time.Millisecond).String()
	}, Right: true},
}

// waitedError says that the time is up, and what was missing in the end.
type waitedError struct {
	what   awaited
	waited time.Duration
	why    error
}

// Error implements error.
func (e *waitedError) Error() string {
	what := "is not " + e.what.condition
	if e.what.address.IsValid() {
		what = "has no GID for " + e.what.address.String()
	}
	return fmt.Sprintf("%s %s after %v: %v", e.what.arg, what, e.waited.Round(time.Millisecond), e.why)
}

// Unwrap makes it one of the errors after which trying again may help.
func (e *waitedError) Unwrap() error { return context.DeadlineExceeded }

// errNotYet says why a condition has not come about.
type errNotYet string

// Error implements error.
func (e errNotYet) Error() string { return string(e) }

// look tells whether the condition has come about, and for what. What may be
// otherwise a moment later is an [errNotYet].
func (inv *invocation) look(ctx context.Context, a awaited) (waitItem, error) {
	f, err := inv.targets(ctx, []string{a.arg}, host.Summary)
	if err == nil && len(f.problems) > 0 {
		err = f.problems[0]
	}
	item := waitItem{Device: a.arg, Condition: a.condition}
	switch {
	case err != nil && isAbsence(err):
		if a.condition == untilAbsent {
			return item, nil
		}
		return item, errNotYet(err.Error())
	case err != nil:
		return item, inv.orNotYet(err)
	case a.condition == untilAbsent:
		return item, errNotYet("it is there")
	}
	t := f.targets[0]
	item.Device, item.Port = t.device.Name, t.port
	switch {
	case a.condition == untilActive:
		return item, item.setActive(t)
	case a.address.IsValid():
		return item, inv.setGID(ctx, &item, t, a.address)
	}
	return item, nil
}

// isAbsence tells whether err says that there is no such device, or no RDMA yet.
func isAbsence(err error) bool {
	return errors.Is(err, host.ErrNotFound) || errors.Is(err, host.ErrNoRDMA)
}
