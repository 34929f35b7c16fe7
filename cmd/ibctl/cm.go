package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/urfave/cli/v2"
	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/resources"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// What verbs of cm take as arguments.
const (
	argsPorts      = "[DEV[/PORT]…]"
	argsMode       = "[DEV[/PORT] [MODE]]"
	argsTOS        = "[DEV[/PORT] [TOS]]"
	argsHost       = "HOST"
	argsOwnAddress = "[ADDRESS]"
)

func cmCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "cm", Category: categoryShow, Usage: "the connection manager: ids, counters, defaults, and asking other hosts",
		Subcommands: []*cli.Command{
			cmListCommand(inv), cmStatCommand(inv), cmModeCommand(inv), cmTOSCommand(inv),
			cmResolveCommand(inv), cmPingCommand(inv), cmListenCommand(inv),
		},
	}
}

// onlyHere refuses --root for verbs that ask the running kernel.
func (inv *invocation) onlyHere(c *cli.Context) error {
	if inv.root != "" {
		return usagef("%s asks the kernel that runs here, and not a captured tree: it does not go with --root", c.Command.HelpName)
	}
	return nil
}

// cmSession is a session with the cm client, and the way to ask it.
type cmSession struct {
	session
	cmv1.CMClient
}

// openCM adds a cm client to devices for the purpose of one verb. close must
// follow where it returns no error.
func (inv *invocation) openCM(ctx context.Context, devices []rdma.Device) (cmSession, error) {
	s, err := inv.openSession(ctx, devices, cm.Name)
	if err != nil {
		return cmSession{}, err
	}
	return newCMSession(s), nil
}

func newCMSession(s session) cmSession { return cmSession{s, cmv1.NewCMClient(s.conn(cm.Name))} }

// openCMOnAll is openCM for verbs where the kernel chooses the device.
func (inv *invocation) openCMOnAll(ctx context.Context) (cmSession, []rdma.Warning, error) {
	found, err := inv.targets(ctx, nil, host.Summary)
	if err != nil {
		return cmSession{}, nil, err
	}
	s, err := inv.openActing(ctx, devicesOf(found.targets), cm.Name)
	if err != nil {
		return cmSession{}, nil, err
	}
	return newCMSession(s), found.warnings, nil
}

// request names a target the way the client wants it.
func (s cmSession) request(t target) (*cmv1.DeviceRequest, error) {
	id, err := s.device(cm.Name, t.device)
	if err != nil {
		return nil, err
	}
	return &cmv1.DeviceRequest{Device: id, Port: pointer(t.port)}, nil
}

// cmAnswer is what came of asking about some targets.
type cmAnswer[T any] struct {
	items    []T
	warnings []rdma.Warning
	problems problems
}

// fail notes that a target could not be asked about. A device that went away
// since it was listed, or is drained, or has no raw records, is missed only by those
// who asked for it by name.
func (a *cmAnswer[T]) fail(t target, op string, err error) {
	if !t.named && (isGone(err) || isOutOfService(err) || errors.Is(err, resources.ErrNoRaw)) {
		a.warnings = append(a.warnings, rdma.Warning{Object: t.name(), Op: op, Err: err})
		return
	}
	a.problems = append(a.problems, err)
}

func (a *cmAnswer[T]) join(all []cmAnswer[T]) {
	for _, b := range all {
		a.items = append(a.items, b.items...)
		a.warnings = append(a.warnings, b.warnings...)
		a.problems = append(a.problems, b.problems...)
	}
}

// askEach asks about all targets at once and returns the answers in their order.
func askEach[T any](targets []target, op string, ask func(t target, a *cmAnswer[T]) error) cmAnswer[T] {
	answers := make([]cmAnswer[T], len(targets))
	var asking sync.WaitGroup
	for i, t := range targets {
		asking.Go(func() {
			if err := plainStatus(ask(t, &answers[i])); err != nil {
				answers[i].fail(t, op, err)
			}
		})
	}
	asking.Wait()
	var all cmAnswer[T]
	all.join(answers)
	return all
}

// receiveAll calls take for each message of a stream.
func receiveAll[M any](stream grpc.ServerStreamingClient[M], take func(*M)) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		take(m)
	}
}

// opt is the way back from an optional field.
func opt[T any](p *T) rdma.Opt[T] {
	if p == nil {
		return rdma.Opt[T]{}
	}
	return rdma.Known(*p)
}
