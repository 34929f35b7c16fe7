package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

func cmPingCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "ping", Usage: "ask a host's connection manager for an answer",
		ArgsUsage: argsHost,
		Description: `Any answer means that the host's RDMA device, its kernel and the network between
work, both ways. The port that is asked by default has no listener but ibctl cm
listen, and "nobody listens there" is an answer. Asking a port on which an
application listens can hurt the application: see ibctl-cm(8).`,
		UsageText: "ibctl cm ping 10.0.0.7 -c 3\tthree times\nibctl cm ping node7 -i 0.2\tfive times a second, until interrupted",
		Flags: []cli.Flag{
			&cli.UintFlag{Name: "count", Aliases: []string{"c"}, Usage: "stop after asking `N` times"},
			intervalFlag("ask every `SECONDS`, or a duration such as 200ms"),
			&cli.StringFlag{Name: "wait", Aliases: []string{"W"}, Value: "1s", Usage: "wait `SECONDS`, or a duration, for each answer"},
			portFlag("the port to ask for, of those that applications listen on"),
			fromFlag(),
		},
		Action: inv.cmPing,
	}
}

func intervalFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "interval", Aliases: []string{"i"}, Value: "1s", Usage: usage}
}

func portFlag(usage string) cli.Flag {
	return &cli.UintFlag{Name: "port", Value: cm.DefaultPort, Usage: usage + ": `PORT`"}
}

// cmPing prints answers as they come, and a summary when it has asked often
// enough or is interrupted.
func (inv *invocation) cmPing(c *cli.Context) error {
	request, err := inv.pingRequest(c)
	if err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	ctx, stop := interruptible(ctx)
	defer stop()
	s, warnings, err := inv.openCMOnAll(ctx)
	if err != nil {
		return orInterruption(ctx, err)
	}
	run := newPingRun(request)
	err = inv.followPing(ctx, s, request, run)
	inv.printer().Warn(append(warnings, s.close()...)...)
	if err = errors.Join(err, inv.printPing(run)); err != nil {
		return err
	}
	return run.verdict()
}

func (inv *invocation) pingRequest(c *cli.Context) (*cmv1.PingRequest, error) {
	if err := inv.onlyHere(c); err != nil {
		return nil, err
	}
	port, err := portOf(c)
	if err != nil {
		return nil, err
	}
	interval, err := seconds(c, "interval", 10*time.Millisecond)
	if err != nil {
		return nil, err
	}
	wait, err := seconds(c, "wait", time.Millisecond)
	if err != nil {
		return nil, err
	}
	destination, source, err := inv.bothEnds(c, port)
	if err != nil {
		return nil, err
	}
	return &cmv1.PingRequest{
		Destination: destination, Source: source, Count: uint32(c.Uint("count")),
		IntervalMs: uint32(interval.Milliseconds()), TimeoutMs: uint32(wait.Milliseconds()),
	}, nil
}

func portOf(c *cli.Context) (uint16, error) {
	port := c.Uint("port")
	if port < 1 || port > math.MaxUint16 {
		return 0, usagef("--port %d: want 1 to 65535", port)
	}
	return uint16(port), nil
}

// followPing takes the answers until the client is done or the verb is told to
// stop, which is no error.
func (inv *invocation) followPing(ctx context.Context, s cmSession, request *cmv1.PingRequest, run *pingRun) error {
	stream, err := s.Ping(ctx, request)
	if err != nil {
		return ended(ctx, plainStatus(err))
	}
	for {
		reply, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return ended(ctx, plainStatus(err))
		}
		item := run.add(reply)
		if err := inv.printReply(run, item); err != nil {
			return err
		}
	}
}

// printReply shows an answer at once where the format can.
func (inv *invocation) printReply(run *pingRun, item pingReply) error {
	switch inv.format {
	case output.JSONL:
		return output.Print(inv.printer(), output.Result[pingReply]{Items: []pingReply{item}})
	case output.Table, output.Wide:
		head := ""
		if item.Seq == 1 && !inv.noHeaders {
			head = run.head(item) + "\n"
		}
		return inv.print(head + output.Text(item.line()) + "\n")
	}
	return nil
}

// printPing shows what it came to.
func (inv *invocation) printPing(run *pingRun) error {
	switch inv.format {
	case output.JSONL:
		return nil // the lines are all there is
	case output.Table, output.Wide:
		if inv.noHeaders || run.Sent == 0 {
			return nil
		}
		return inv.print(run.summary())
	}
	items := []*pingRun{run}
	return output.Print(inv.printer(), output.Result[*pingRun]{
		Kind: "CMPing", Items: items,
		Name: func(r *pingRun) string { return r.Address },
	})
}

// noAnswerError is a ping that nobody answered: exit code 1, as of ping(8).
type noAnswerError struct {
	address string
	last    string
}

// Error implements error.
func (e *noAnswerError) Error() string {
	if e.last == "" {
		return e.address + ": no answer"
	}
	return e.address + ": " + e.last
}

// verdict is an error if nobody answered.
func (r *pingRun) verdict() error {
	if r.Answered > 0 {
		return nil
	}
	last := ""
	if n := len(r.Replies); n > 0 {
		last = r.Replies[n-1].Error
	}
	return &noAnswerError{r.Address, last}
}

// head is the first line: it waits for the first answer, which tells the device.
func (r *pingRun) head(first pingReply) string {
	from := ""
	if first.Device != "" {
		from = fmt.Sprintf(" from %s via %s/%d", first.Source, first.Device, first.Port)
	}
	return output.Text(fmt.Sprintf("CM PING %s port %d%s", r.Address, r.Port, from))
}
