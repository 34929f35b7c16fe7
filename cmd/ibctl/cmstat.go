package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

func cmStatCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "stat", Usage: "counters of connection manager messages",
		ArgsUsage: argsPorts,
		UsageText: "ibctl cm stat mlx5_0\twhat a device has sent and received\n" +
			"ibctl cm stat --watch\twhat happens now, every second",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "messages that were never seen, too"},
		}, watchFlags("show what changed, with rates")...),
		Action: inv.cmStat,
	}
}

// cmCounter is the item of a CMCounterList document: one kind of message at one
// port.
type cmCounter struct {
	Device       string           `json:"device"`
	Port         uint32           `json:"port"`
	Message      string           `json:"message"`
	TxMsgs       rdma.Opt[uint64] `json:"tx_msgs,omitzero"`
	TxRetries    rdma.Opt[uint64] `json:"tx_retries,omitzero"`
	RxMsgs       rdma.Opt[uint64] `json:"rx_msgs,omitzero"`
	RxDuplicates rdma.Opt[uint64] `json:"rx_duplicates,omitzero"`
	// Time and the rates are there while counters are watched.
	Time   rdma.Opt[time.Time] `json:"time,omitzero"`
	TxRate rdma.Opt[float64]   `json:"tx_per_second,omitzero"`
	RxRate rdma.Opt[float64]   `json:"rx_per_second,omitzero"`

	at time.Time
}

func newCMCounters(p *cmv1.PortCounters) (items []cmCounter) {
	for _, c := range p.GetCounters() {
		items = append(items, cmCounter{
			Device: p.GetDevice(), Port: p.GetPort(), Message: c.GetKind(),
			TxMsgs: opt(c.TxMsgs), TxRetries: opt(c.TxRetries), RxMsgs: opt(c.RxMsgs), RxDuplicates: opt(c.RxDuplicates),
			at: time.Unix(0, p.GetTimeUnixNano()),
		})
	}
	return items
}

// seen tells whether the message was ever sent or received.
func (c cmCounter) seen() bool {
	return c.TxMsgs.Or(0) > 0 || c.TxRetries.Or(0) > 0 || c.RxMsgs.Or(0) > 0 || c.RxDuplicates.Or(0) > 0
}

func (inv *invocation) cmStat(c *cli.Context) error {
	if err := inv.checkWatch(c); err != nil {
		return err
	}
	watch := c.Bool("watch")
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	found, err := inv.targets(ctx, c.Args().Slice(), host.Summary)
	if err != nil {
		return err
	}
	if len(found.targets) == 0 {
		return inv.printCounters(found, nil, cmCounterColumns)
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	s, err := inv.openCM(ctx, devicesOf(found.targets))
	if err != nil {
		return orInterruption(ctx, err)
	}
	if watch {
		err := inv.watchCounters(ctx, s, found, c.Duration("interval"), c.Uint("count"))
		inv.printer().Warn(s.close()...)
		return err
	}
	answer := s.counters(ctx, found.targets)
	found.warnings = append(append(found.warnings, answer.warnings...), s.close()...)
	found.problems = append(found.problems, answer.problems...)
	if err := orInterruption(ctx, nil); err != nil {
		return err
	}
	items := answer.items
	if !c.Bool("all") && !inv.format.Whole() {
		items = slices.DeleteFunc(items, func(c cmCounter) bool { return !c.seen() })
	}
	return inv.printCounters(found, items, cmCounterColumns)
}

func (inv *invocation) printCounters(f found, items []cmCounter, columns []output.Column[cmCounter]) error {
	if inv.format == output.Name { // one name a port, not one a message
		items = slices.CompactFunc(items, func(a, b cmCounter) bool { return a.Device == b.Device && a.Port == b.Port })
	}
	return printResult(inv, f, output.Result[cmCounter]{
		Kind: "CMCounterList", Items: items, Warnings: f.warnings,
		Body: output.Rows(items, columns),
		Name: func(c cmCounter) string { return fmt.Sprintf("%s/%d", c.Device, c.Port) },
	})
}

func (s cmSession) counters(ctx context.Context, targets []target) cmAnswer[cmCounter] {
	return askEach(targets, "read connection manager counters", func(t target, a *cmAnswer[cmCounter]) error {
		request, err := s.request(t)
		if err != nil {
			return err
		}
		stream, err := s.ReadCounters(ctx, request)
		if err != nil {
			return err
		}
		return receiveAll(stream, func(p *cmv1.PortCounters) {
			a.items = append(a.items, newCMCounters(p)...)
			a.warnings = append(a.warnings, cmv1.RDMAWarnings(p.GetWarnings())...)
		})
	})
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

var cmCounterColumns = []output.Column[cmCounter]{
	{Header: "DEVICE", Cell: func(c cmCounter) string { return c.Device }},
	{Header: "PORT", Cell: func(c cmCounter) string { return number(c.Port) }, Right: true},
	{Header: "MESSAGE", Cell: func(c cmCounter) string { return c.Message }},
	{Header: "TX", Cell: func(c cmCounter) string { return text(c.TxMsgs) }, Right: true},
	{Header: "RETRIES", Cell: func(c cmCounter) string { return text(c.TxRetries) }, Right: true},
	{Header: "RX", Cell: func(c cmCounter) string { return text(c.RxMsgs) }, Right: true},
	{Header: "DUPLICATES", Cell: func(c cmCounter) string { return text(c.RxDuplicates) }, Right: true},
}
