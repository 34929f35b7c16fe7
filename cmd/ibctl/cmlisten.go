package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

func cmListenCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "listen", Usage: "answer ibctl cm ping with who this host is",
		ArgsUsage: argsOwnAddress,
		Description: `Answers on all addresses of all devices, as they come and go, or on ADDRESS alone,
until it is interrupted or --timeout passes. Who asks learns this host's name, and
the device, port, GID and network interface that were asked.`,
		UsageText: "ibctl cm listen\ton all addresses\nibctl cm listen 10.0.0.7 --timeout 1m -o jsonl\ton one, for a minute, as JSON lines",
		Flags: []cli.Flag{
			portFlag("the port to listen on"),
		},
		Action: inv.cmListen,
	}
}

// cmListenEvent is what a line of -o jsonl holds.
type cmListenEvent struct {
	Time time.Time `json:"time"`
	// Event is listening, stopped or answered.
	Event   string           `json:"event"`
	Device  string           `json:"device"`
	Port    rdma.Opt[uint32] `json:"port,omitzero"`
	Address string           `json:"address"`
	// From is who asked, and Ping whether it was a ping.
	From string         `json:"from,omitzero"`
	Ping rdma.Opt[bool] `json:"ping,omitzero"`
	Why  string         `json:"why,omitzero"`
}

// cmListen prints what happens until it is told to stop, which is no error.
func (inv *invocation) cmListen(c *cli.Context) error {
	request, err := inv.listenRequest(c)
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
	inv.printer().Warn(warnings...)
	err = inv.followListen(ctx, s, request)
	inv.printer().Warn(s.close()...)
	return ended(ctx, plainStatus(err))
}

func (inv *invocation) listenRequest(c *cli.Context) (*cmv1.ListenRequest, error) {
	if err := inv.onlyHere(c); err != nil {
		return nil, err
	}
	if inv.format == output.JSON || inv.format == output.YAML {
		return nil, usagef("%s has no end that a document could have: use -o jsonl", c.Command.HelpName)
	}
	port, err := portOf(c)
	if err != nil {
		return nil, err
	}
	request := &cmv1.ListenRequest{Port: uint32(port)}
	switch c.NArg() {
	case 0:
	case 1:
		request.Address, err = parseIP(c.Command.HelpName, c.Args().First(), port)
	default:
		err = usagef("%s takes one address, and got %d", c.Command.HelpName, c.NArg())
	}
	return request, err
}

func (inv *invocation) followListen(ctx context.Context, s cmSession, request *cmv1.ListenRequest) error {
	stream, err := s.Listen(ctx, request)
	if err != nil {
		return err
	}
	for {
		e, err := stream.Recv()
		if err != nil {
			return err
		}
		if w := e.GetWarning(); w != nil {
			inv.printer().Warn(w.RDMA())
		} else if err := inv.printListenEvent(newListenEvent(e)); err != nil {
			return err
		}
	}
}

func newListenEvent(e *cmv1.ListenEvent) cmListenEvent {
	out := cmListenEvent{Time: time.Unix(0, e.GetTimeUnixNano())}
	switch x := e.GetEvent().(type) {
	case *cmv1.ListenEvent_Listening:
		out.Event, out.Device, out.Port = "listening", x.Listening.GetDevice(), rdma.Known(x.Listening.GetPort())
		out.Address = addressText(x.Listening.GetAddress())
	case *cmv1.ListenEvent_Stopped:
		out.Event, out.Device, out.Why = "stopped", x.Stopped.GetDevice(), x.Stopped.GetWhy()
		out.Address = addressText(x.Stopped.GetAddress())
	case *cmv1.ListenEvent_Answered:
		out.Event, out.Device, out.Port = "answered", x.Answered.GetDevice(), rdma.Known(x.Answered.GetPort())
		out.Address, out.From = addressText(x.Answered.GetTo()), addressText(x.Answered.GetFrom())
		out.Ping = rdma.Known(x.Answered.GetPing())
	}
	return out
}

func (inv *invocation) printListenEvent(e cmListenEvent) error {
	switch inv.format {
	case output.JSONL:
		return output.Print(inv.printer(), output.Result[cmListenEvent]{Kind: "CMListenEventList", Items: []cmListenEvent{e}})
	case output.Name:
		return inv.print(output.Text(e.Address) + "\n")
	}
	return inv.print(e.Time.Format(time.TimeOnly) + " " + output.Text(e.line()) + "\n")
}

// line shows an event to people.
func (e cmListenEvent) line() string {
	port := ""
	if n, ok := e.Port.Get(); ok {
		port = fmt.Sprintf("/%d", n)
	}
	switch {
	case e.Event == "stopped":
		return fmt.Sprintf("stopped listening on %s (%s): %s", e.Address, e.Device, e.Why)
	case e.Event == "listening":
		return fmt.Sprintf("listening on %s (%s%s)", e.Address, e.Device, port)
	case e.Ping.Or(false):
		return fmt.Sprintf("answered %s, who asked %s (%s%s)", e.From, e.Address, e.Device, port)
	}
	return fmt.Sprintf("turned away %s, who is no ping, at %s (%s%s)", e.From, e.Address, e.Device, port)
}
