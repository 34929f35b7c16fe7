package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/plugin"
)

// launch starts the process in the best kind of tree that can be had here.
func (p *Plugin) launch(env []string) (*process, error) {
	c, err := p.spec.command()
	if err != nil {
		return nil, err
	}
	defer closeAll(c.extra)
	env = p.environment(env)
	err = errors.ErrUnsupported
	for _, level := range p.sup.levels(p.spec) {
		t, made := p.sup.newTree(level, p.spec)
		if made != nil {
			p.log.Debug("guarantee is not available", "guarantee", level, "error", made)
			continue
		}
		c.env = env
		if level == GuaranteeChildless {
			c.env = append(slices.Clip(env), plugin.EnvChildless+"=1")
		}
		var proc *process
		proc, err = launch(p.sup.starter, c, t, p.log, p.limits.Drain)
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
