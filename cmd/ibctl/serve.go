package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/daemon"
)

func serveCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "serve", Category: categoryTool, Usage: "keep clients on the devices, and answer for them on a socket",
		Description: `Runs until SIGTERM or SIGINT, then removes every client from every device and
exits; a second signal ends what does not let go. It does not go into the
background.`,
		UsageText: "ibctl serve\tas a service manager starts it\n" +
			"ibctl serve --check\tonly see whether the configuration makes sense",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "read `FILE` instead of " + config.Path},
			&cli.BoolFlag{Name: "check", Usage: "read the configuration, say what is wrong with it, and exit"},
		},
		Action: inv.serve,
	}
}

// serve is the daemon's life.
func (inv *invocation) serve(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	switch {
	case inv.socket == noSocket:
		return usagef("--socket %s: serve has to listen somewhere", noSocket)
	case inv.timeout > 0:
		return usagef("--timeout: serve has no end by itself; the configuration has its limits")
	}
	configure := func() (config.Config, error) { return readConfig(c.String("config")) }
	if c.Bool("check") {
		return eachProblem(inv.checkConfig(configure))
	}
	useSmallPages()
	opts, err := inv.daemonOptions(configure)
	if err != nil {
		return err
	}
	ctx, hasten, stop := untilToldTwice()
	defer stop()
	return eachProblem(daemon.Run(ctx, hasten, opts))
}

// eachProblem makes errors of their own of the problems of a configuration.
func eachProblem(err error) error {
	found, ok := errors.AsType[*config.Error](err)
	if !ok {
		return err
	}
	var all problems
	for _, p := range found.Problems {
		all = append(all, &config.Error{Path: found.Path, Problems: []config.Problem{p}})
	}
	return all
}

// readConfig reads the file that was named, which must be there, or the usual
// one, which need not.
func readConfig(path string) (config.Config, error) {
	if path == "" {
		return config.LoadDefault(builtins())
	}
	return config.Load(path, builtins())
}

func (inv *invocation) checkConfig(read func() (config.Config, error)) error {
	conf, err := read()
	if err != nil {
		return err
	}
	for _, c := range conf.Clients {
		if _, err := inv.daemonSpec(c, conf); err != nil {
			return err
		}
	}
	inv.hint("the configuration makes sense")
	return nil
}

func (inv *invocation) daemonOptions(configure func() (config.Config, error)) (daemon.Options, error) {
	given, err := givenSocket()
	if err != nil {
		return daemon.Options{}, err
	}
	watchdog, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		return daemon.Options{}, fmt.Errorf("watchdog: %w", err)
	}
	log := inv.serviceLog()
	opts := daemon.Options{
		Version: thisBuild().Version, Configure: configure, Builtin: builtins(), Spec: inv.daemonSpec,
		Root: inv.root, Listener: given, Socket: inv.socket, Log: log, Watchdog: watchdog,
		Notify: func(state string) {
			if _, err := sd.SdNotify(false, state); err != nil {
				log.Warn("cannot tell the service manager", "state", state, "error", err)
			}
		},
	}
	if inv.socket != "" {
		opts.RunDir = filepath.Join(filepath.Dir(inv.socket), "serve")
	}
	return opts, nil
}

// givenSocket returns the socket that a service manager has made, if it has
// (sd_listen_fds(3)).
func givenSocket() (*net.UnixListener, error) {
	all, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("sockets of the service manager: %w", err)
	}
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		if l, ok := all[0].(*net.UnixListener); ok {
			return l, nil
		}
	}
	return nil, fmt.Errorf("sockets of the service manager: want one stream socket of family unix, and got %d of some kind", len(all))
}
