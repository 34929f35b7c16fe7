package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	gorunner "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// Start starts a plugin and returns when it is configured and can be given
// devices. Stop must follow. An error is a [*StartError], or ErrClosed; nothing is
// left of the process then.
func (s *Supervisor) Start(ctx context.Context, spec Spec) (*Plugin, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	p, err := s.start(ctx, spec)
	if err != nil {
		s.running.Done()
		failure := &StartError{Plugin: spec.Name, Reason: err}
		if p != nil {
			failure.Output, failure.LastWords = p.output.lastLines(), p.output.lastWords()
		}
		return nil, failure
	}
	return p, nil
}

// start returns the Plugin also on failure, for what it has written.
func (s *Supervisor) start(ctx context.Context, spec Spec) (*Plugin, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limits.Start, fmt.Errorf("%w (%v)", ErrDeadline, s.limits.Start))
	defer cancel()
	dir, err := s.dir.socketDir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	p := s.newPlugin(spec, dir)
	if err := p.connect(ctx); err != nil {
		return p, p.giveUp(ctx, err)
	}
	if err := p.introduce(ctx); err != nil {
		return p, p.giveUp(ctx, err)
	}
	return p, nil
}

func (s *Supervisor) newPlugin(spec Spec, dir string) *Plugin {
	log := s.log.With("plugin", spec.Name)
	p := &Plugin{
		sup:           s,
		spec:          spec,
		limits:        s.limits,
		log:           log,
		output:        &output{log: log, limits: s.limits},
		dialer:        &dialer{dir: dir},
		conversations: make(map[core.ID]*conversation),
	}
	p.runner = &runner{name: spec.Name, dir: dir, output: p.output, launch: p.launch}
	return p
}

// connect runs the process by way of go-plugin, up to a connection.
func (p *Plugin) connect(ctx context.Context) error {
	p.client = goplugin.NewClient(p.clientConfig())
	stop := context.AfterFunc(ctx, func() { p.runner.abort(context.Cause(ctx)) })
	defer stop()
	addr, err := p.client.Start()
	p.proc = p.runner.started()
	switch {
	case err != nil && p.proc != nil && !p.runner.greeted.Load():
		return fmt.Errorf("%w: standard output ended without one", ErrHandshake)
	case err != nil:
		return err
	}
	p.tasks.Go(p.watch)
	p.dialer.addr = addr
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := protocol.Dispense(plugin.ServiceName)
	if err != nil {
		return err
	}
	p.conn = raw.(*grpc.ClientConn)
	p.rpc = pluginv1.NewPluginClient(p.conn)
	return nil
}

func (p *Plugin) clientConfig() *goplugin.ClientConfig {
	return &goplugin.ClientConfig{
		HandshakeConfig:  plugin.Handshake(),
		Plugins:          goplugin.PluginSet{plugin.ServiceName: connection{}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (gorunner.Runner, error) {
			p.runner.env = cmd.Env
			return p.runner, nil
		},
		SkipHostEnv:      true,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.runner.dir},
		GRPCDialOptions:  dialOptions(p.dialer, p.limits.Call),
		SyncStdout:       p.output,
		SyncStderr:       p.output,
		Logger:           hclog.NewNullLogger(),
		// Ours is the deadline that counts; it kills the process.
		StartTimeout: p.limits.Start + time.Second,
	}
}

// introduce asks the plugin who it is, opens the host stream and configures it.
func (p *Plugin) introduce(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { p.proc.kill(context.Cause(ctx)) })
	defer stop()
	info, err := p.rpc.Info(ctx, &pluginv1.InfoRequest{})
	if err != nil {
		return fmt.Errorf("info: %w", err)
	}
	if info.GetName() != p.spec.Name {
		return fmt.Errorf("%w: %q", ErrName, abridged(info.GetName()))
	}
	p.version = info.GetVersion()
	if t, ok := p.proc.tree.(*childless); ok {
		t.alone.Store(info.GetChildless())
	}
	// The stream lives as long as the connection: its end is the process's.
	stream, err := p.rpc.Host(context.Background())
	if err != nil {
		return fmt.Errorf("host stream: %w", err)
	}
	p.tasks.Go(func() {
		(&hostServer{p: p, stream: stream}).serve()
		p.hostStreamEnded()
	})
	if _, err := p.rpc.Configure(ctx, &pluginv1.ConfigureRequest{Epoch: p.sup.epoch, Config: p.spec.Config}); err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	return nil
}

// giveUp ends what there is of the process and returns why it did not start: err,
// unless the process itself or the end of ctx came first. Who was stopped by that
// end may be quicker to come here than whoever it told to kill.
func (p *Plugin) giveUp(ctx context.Context, err error) error {
	if isOver(ctx, err) {
		err = context.Cause(ctx)
	}
	if p.proc == nil {
		return err
	}
	if p.rpc == nil || status.Code(err) == codes.Unavailable {
		p.awaitCrash()
	}
	p.proc.kill(err)
	<-p.proc.done
	p.dialer.close()
	p.release()
	return p.proc.why()
}

// isOver tells whether ctx has ended. Of a deadline the plugin knows, too, and
// may say so a moment before.
func isOver(ctx context.Context, err error) bool {
	if status.Code(err) == codes.DeadlineExceeded {
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return ctx.Err() != nil
}

// release waits for all that was started for a process that is dead.
func (p *Plugin) release() {
	p.client.Kill()
	p.tasks.Wait()
	p.runner.read.Wait()
	p.proc.tasks.Wait()
}

// connection makes go-plugin hand out the bare connection.
type connection struct {
	goplugin.NetRPCUnsupportedPlugin
}

// GRPCServer implements goplugin.GRPCPlugin; the host's side has no use for it.
func (connection) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error { return errors.ErrUnsupported }

// GRPCClient implements goplugin.GRPCPlugin.
func (connection) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}
