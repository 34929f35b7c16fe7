package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	gorunner "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

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
			failure.Stderr = p.output.lastLines()
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
	if err := p.connect(ctx, dir); err != nil {
		return p, p.giveUp(err)
	}
	if err := p.introduce(ctx); err != nil {
		return p, p.giveUp(err)
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
		conversations: make(map[core.ID]*conversation),
	}
	p.runner = &runner{name: spec.Name, dir: dir, output: p.output, launch: p.launch}
	return p
}

// connect runs the process by way of go-plugin, up to a connection.
func (p *Plugin) connect(ctx context.Context, dir string) error {
	d := &dialer{dir: dir}
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  plugin.Handshake(),
		Plugins:          goplugin.PluginSet{plugin.ServiceName: connection{}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (gorunner.Runner, error) {
			p.runner.env = cmd.Env
			return p.runner, nil
		},
		SkipHostEnv:      true,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: dir},
		GRPCDialOptions:  dialOptions(d, p.limits.Call),
		SyncStdout:       p.output,
		SyncStderr:       p.output,
		Logger:           hclog.NewNullLogger(),
		// Ours is the deadline that counts; it kills the process.
		StartTimeout: p.limits.Start + time.Second,
	})
	stop := context.AfterFunc(ctx, func() { p.runner.abort(context.Cause(ctx)) })
	defer stop()
	addr, err := p.client.Start()
	p.proc = p.runner.started()
	if err != nil {
		return err
	}
	d.addr = addr
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

// introduce asks the plugin who it is, opens the host stream and configures it.
func (p *Plugin) introduce(ctx context.Context) error {
	p.tasks.Go(p.watch)
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
	p.isolated = p.proc.tree.guarantee()
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
// unless the process itself or the deadline came first.
func (p *Plugin) giveUp(err error) error {
	if p.proc == nil {
		p.client.Kill()
		return err
	}
	select {
	case <-p.proc.done:
	case <-time.After(p.limits.Crash):
	}
	p.proc.kill(err)
	<-p.proc.done
	p.client.Kill()
	p.tasks.Wait()
	p.runner.read.Wait()
	<-p.proc.reaped
	return p.proc.why()
}

// launch starts the process in the best kind of tree that can be had here.
func (p *Plugin) launch(env []string) (*process, error) {
	c, err := p.spec.command()
	if err != nil {
		return nil, err
	}
	defer closeAll(c.extra)
	c.env = p.environment(env)
	err = errors.ErrUnsupported
	for _, level := range p.sup.levels(p.spec) {
		t, made := p.sup.newTree(level, p.spec)
		if made != nil {
			p.log.Debug("guarantee is not available", "guarantee", level, "error", made)
			continue
		}
		var proc *process
		proc, err = launch(p.sup.starter, c, t, p.limits.Drain)
		if err == nil {
			return proc, nil
		}
		if !isNotSupported(err) {
			break
		}
		p.log.Debug("guarantee is not available", "guarantee", level, "error", err)
	}
	return nil, execError(c, err)
}

// execError names the file that was meant, instead of the one in /proc.
func execError(c command, err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		err = pe.Err
	}
	return fmt.Errorf("execute %s: %w", c.argv[0], err)
}

// environment builds the whole of it: nothing is inherited.
func (p *Plugin) environment(handshake []string) []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8",
		plugin.EnvLogLevel + "=" + strings.ToLower(p.logLevel().String()),
	}
	env = append(env, p.spec.Env...)
	return append(env, handshake...)
}

// logLevel is the least level that our log shows.
func (p *Plugin) logLevel() slog.Level {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if p.log.Enabled(context.Background(), level) {
			return level
		}
	}
	return slog.LevelError
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
