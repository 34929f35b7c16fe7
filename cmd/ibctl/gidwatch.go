package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/roce"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

func gidWatchCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "changes of GID tables, as they happen",
		ArgsUsage: argsPorts,
		Description: `Shows GIDs that are added, removed, moved to another index or changed, until
interrupted or --timeout passes. Without DEV, of all devices, those included that come
later.`,
		UsageText: "ibctl gid watch\tall devices\n" +
			"ibctl gid watch mlx5_0/1 --present\twhat is there, and then what changes\n" +
			"ibctl gid watch -o jsonl\tan object a line, for a program",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "present", Usage: "begin with the GIDs that are there"},
		},
		Action: inv.gidWatch,
	}
}

func (inv *invocation) gidWatch(c *cli.Context) error {
	switch {
	case inv.root != "":
		return usagef("a captured tree does not change: gid watch does not go with --root")
	case inv.format == output.JSON, inv.format == output.YAML:
		return usagef("-o %s is one document, and changes go on: use -o jsonl", inv.format)
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	ctx, stop := interruptible(ctx)
	defer stop()
	found, err := inv.targets(ctx, c.Args().Slice(), host.Summary)
	if err == nil && len(found.problems) > 0 {
		err = found.problems
	}
	if err != nil {
		return orInterruption(ctx, err)
	}
	request, err := watchRequest(c, found.targets)
	if err != nil {
		return err
	}
	s, err := inv.openFollowing(ctx, roce.Name)
	if err != nil {
		return orInterruption(ctx, err)
	}
	inv.printer().Warn(found.warnings...)
	err = inv.printChanged(ctx, s, request)
	inv.printer().Warn(s.close()...)
	return ended(ctx, plainStatus(err))
}

// watchRequest asks for devices by name: one that comes back is watched, too.
func watchRequest(c *cli.Context, targets []target) (*rocev1.WatchGIDsRequest, error) {
	request := &rocev1.WatchGIDsRequest{IncludePresent: c.Bool("present")}
	if c.NArg() == 0 {
		return request, nil
	}
	for _, t := range targets {
		if t.index.IsKnown() {
			return nil, usagef("%s: want a device or a port, not a slot", t.name())
		}
		request.Targets = append(request.Targets, &rocev1.GIDWatchTarget{Name: t.device.Name, Port: pointer(t.port)})
	}
	return request, nil
}

// printChanged prints changes as they come.
func (inv *invocation) printChanged(ctx context.Context, s session, request *rocev1.WatchGIDsRequest) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := rocev1.NewRoCEClient(s.conn(roce.Name)).WatchGIDs(ctx, request)
	if err != nil {
		return err
	}
	p := inv.printer()
	for {
		c, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return &pluginv1.RemoteError{Code: codes.Unavailable, Message: "the roce client has ended"}
		}
		if err != nil {
			return err
		}
		item, err := newGIDChange(c)
		if err != nil {
			return err
		}
		if p.Format == output.Name && item.Index == (rdma.Opt[uint32]{}) {
			continue // it is about no GID
		}
		if err := output.Print(p, gidChangeList([]gidChange{item})); err != nil {
			return err
		}
		p.NoHeaders = true // one line of them is enough
	}
}

// gidChange is the item of a GIDChangeList document.
type gidChange struct {
	Time      time.Time          `json:"time"`
	Event     string             `json:"event"`
	Device    string             `json:"device,omitzero"`
	Port      uint32             `json:"port,omitzero"`
	Index     rdma.Opt[uint32]   `json:"index,omitzero"`
	OldIndex  rdma.Opt[uint32]   `json:"old_index,omitzero"`
	GID       rdma.Opt[rdma.GID] `json:"gid,omitzero"`
	Type      rdma.GIDType       `json:"type,omitzero"`
	OldType   rdma.GIDType       `json:"old_type,omitzero"`
	Netdev    string             `json:"netdev,omitzero"`
	OldNetdev string             `json:"old_netdev,omitzero"`
	Default   rdma.Opt[bool]     `json:"default,omitzero"`
	Text      string             `json:"text,omitzero"`
}

// changeNames are the words for what happens.
var changeNames = map[rocev1.GIDChangeKind]string{
	rocev1.GIDChangeKind_GID_CHANGE_KIND_PRESENT: "present",
	rocev1.GIDChangeKind_GID_CHANGE_KIND_READY:   "ready",
	rocev1.GIDChangeKind_GID_CHANGE_KIND_ADDED:   "added",
	rocev1.GIDChangeKind_GID_CHANGE_KIND_REMOVED: "removed",
	rocev1.GIDChangeKind_GID_CHANGE_KIND_MOVED:   "moved",
	rocev1.GIDChangeKind_GID_CHANGE_KIND_CHANGED: "changed",
	rocev1.GIDChangeKind_GID_CHANGE_KIND_MISSED:  "missed",
}

func newGIDChange(m *rocev1.GIDChange) (gidChange, error) {
	c := gidChange{
		Time: time.Unix(0, m.GetTimeUnixNano()), Event: cmp.Or(changeNames[m.GetKind()], m.GetKind().String()),
		Device: m.GetDevice(), Port: m.GetPort(), Text: m.GetText(),
	}
	if m.GetGid() == nil {
		return c, nil
	}
	e, err := m.GetGid().Entry(c.Device, c.Port)
	if err != nil {
		return c, err
	}
	c.Index, c.GID, c.Type, c.Netdev, c.Default = rdma.Known(e.Index), rdma.Known(e.GID), e.Type, e.Netdev, e.Default
	if m.GetOld() == nil {
		return c, nil
	}
	old, err := m.GetOld().Entry(c.Device, c.Port)
	if old.Index != e.Index {
		c.OldIndex = rdma.Known(old.Index)
	}
	if old.Type != e.Type {
		c.OldType = old.Type
	}
	if old.Netdev != e.Netdev {
		c.OldNetdev = old.Netdev
	}
	return c, err
}

func gidChangeList(items []gidChange) output.Result[gidChange] {
	return output.Result[gidChange]{
		Kind: "GIDChangeList", Items: items,
		Body: output.Rows(items, gidChangeColumns),
		Name: func(c gidChange) string { return fmt.Sprintf("%s/%d/%d", c.Device, c.Port, c.Index.Or(0)) },
	}
}

// gidChangeColumns have widths of their own, as those of events.
var gidChangeColumns = []output.Column[gidChange]{
	{Header: wide("TIME", 12), Cell: func(c gidChange) string { return c.Time.Local().Format("15:04:05.000") }},
	{Header: wide("EVENT", 7), Cell: func(c gidChange) string { return wide(c.Event, 7) }},
	{Header: wide("DEVICE", 10), Cell: func(c gidChange) string { return wide(cmp.Or(c.Device, "-"), 10) }},
	{Header: wide("PORT", 4), Cell: func(c gidChange) string { return wide(orDash(c.Port), 4) }},
	{Header: wide("INDEX", 7), Cell: func(c gidChange) string { return wide(c.place(), 7) }},
	{Header: wide("GID", 39), Cell: func(c gidChange) string { return wide(cmp.Or(text(c.GID), "-"), 39) }},
	{Header: wide("TYPE", 5), Cell: func(c gidChange) string { return wide(c.typeText(), 5) }},
	{Header: wide("NETDEV", 10), Cell: func(c gidChange) string { return wide(cmp.Or(arrow(c.OldNetdev, c.Netdev), "-"), 10) }},
	{Header: "DETAILS", Cell: gidChange.details},
}

func orDash(n uint32) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatUint(uint64(n), 10)
}

// place is the index: 3→5 for one that moved.
func (c gidChange) place() string { return cmp.Or(arrow(text(c.OldIndex), text(c.Index)), "-") }

func (c gidChange) typeText() string {
	if !c.Index.IsKnown() {
		return "-"
	}
	if c.OldType != "" {
		return arrow(typeWord(c.OldType), typeWord(c.Type))
	}
	return typeWord(c.Type)
}

func arrow(old, now string) string {
	if old == "" {
		return now
	}
	return old + "→" + now
}

func (c gidChange) details() string {
	if gid, known := c.GID.Get(); known && c.Text == "" {
		if ip, v4 := gid.IPv4(); v4 {
			return ip.String()
		}
	}
	return c.Text
}
