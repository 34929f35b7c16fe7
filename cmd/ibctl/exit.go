package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/daemon"
	"github.com/ibctl/ibctl/internal/drained"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/libenv/source"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/resources"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/internal/takedown"
)

// Exit codes. Those above 1 are of sysexits.h, as far as it has a word for them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 64 // EX_USAGE
	exitNotFound    = 66 // EX_NOINPUT
	exitUnavailable = 69 // EX_UNAVAILABLE
	exitTryAgain    = 75 // EX_TEMPFAIL
	exitPermission  = 77 // EX_NOPERM

	// exitClosedPipe is what a shell shows for a process that SIGPIPE ended, and
	// that is how ibctl ends where nobody reads any more; where the signal is
	// ignored, it says the same with this code.
	exitClosedPipe = 128 + int(syscall.SIGPIPE)
)

// exit is a row of the table that turns errors into exit codes.
type exit struct {
	code   int
	reason string
	is     func(error) bool
}

// exits is that table, the only one. The first row that fits an error decides.
func exits() []exit {
	return []exit{
		{exitUsage, "usage", either(isStatus(codes.InvalidArgument), isType[*usageError], isType[*output.TemplateError], isType[*config.Error], isType[*counters.UnknownError],
			isAny(host.ErrBadSelector, takedown.ErrBadPCI, takedown.ErrNotNetns))},
		{exitNotFound, "not_found", either(isGone, isType[*emptySlotError], isType[*noGIDError], isAny(takedown.ErrNoPCI))},
		// Before a plugin that does not start: it may be that it was not given time.
		{exitTryAgain, "try_again", either(isAny(context.DeadlineExceeded, os.ErrDeadlineExceeded, syscall.EBUSY, syscall.EAGAIN, daemon.ErrRunning, core.ErrDrained, core.ErrDraining), isStatus(codes.DeadlineExceeded))},
		{exitUnavailable, "unavailable", either(
			isAny(host.ErrNoRDMA, errNoPlugins, api.ErrNotRunning, errOtherNamespace, drained.ErrNoIndex, syscall.EOPNOTSUPP, syscall.EPROTONOSUPPORT),
			isAny(counters.ErrUnsupported, counters.ErrNone, resources.ErrUnavailable, resources.ErrUnsupported, resources.ErrNoRaw), isType[*supervisor.StartError], isType[*supervisor.DeadError],
			isStatus(codes.Unavailable, codes.Unimplemented))},
		{exitPermission, "permission", either(isAny(fs.ErrPermission, config.ErrRefused, api.ErrStranger), isStatus(codes.PermissionDenied))},
		{exitFailed, "failed", func(error) bool { return true }},
	}
}

// isGone matches what is not there, or no more: a plugin refuses questions about
// a device that is leaving.
func isGone(err error) bool {
	return errors.Is(err, host.ErrNotFound) || isAny(counters.ErrGone, counters.ErrNoQP, source.ErrNoProcess, resources.ErrNoDevice)(err) || isStatus(codes.NotFound, codes.FailedPrecondition)(err)
}

// isOutOfService matches what is there, and nobody is to use.
func isOutOfService(err error) bool {
	return errors.Is(err, core.ErrDrained) || errors.Is(err, core.ErrDraining)
}

// isAny matches an error that is one of targets.
func isAny(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
}

// isType matches an error that has an E in its chain.
func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// isStatus matches the answer of a plugin, or the lack of one, by its gRPC code.
func isStatus(wanted ...codes.Code) func(error) bool {
	return func(err error) bool {
		s, ok := status.FromError(err)
		return ok && slices.Contains(wanted, s.Code())
	}
}

// either matches what one of matchers does.
func either(matchers ...func(error) bool) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(matchers, func(is func(error) bool) bool { return is(err) })
	}
}

// rowFor returns the row that err belongs to.
func rowFor(err error) exit {
	for _, row := range exits() {
		if row.is(err) {
			return row
		}
	}
	panic("unreachable: the last row fits every error")
}

// problems are several errors of one run, each about an object of its own.
type problems []error

// Error implements error.
func (p problems) Error() string { return errors.Join(p...).Error() }

// Unwrap lets errors.Is and errors.As find each of them.
func (p problems) Unwrap() []error { return p }

// finish says what went wrong, if anything did, and returns the exit code.
func (inv *invocation) finish(err error) int {
	if err == nil {
		return exitDone
	}
	if nobodyReads(err) {
		return exitClosedPipe
	}
	if i, ok := errors.AsType[interruption](err); ok {
		return 128 + int(i.signal) // as a shell shows it
	}
	if b, ok := errors.AsType[batchError](err); ok {
		return b.code // its lines have said why
	}
	for _, p := range inv.problemsOf(err) {
		inv.printer().Error(p)
	}
	return codeOf(err)
}

// codeOf returns the exit code for what a verb came back with.
func codeOf(err error) int {
	if v, ok := errors.AsType[verdict](err); ok {
		return v.code
	}
	return rowFor(err).code
}

// problemsOf returns what there is to be said of err.
func (inv *invocation) problemsOf(err error) []output.Problem {
	if v, ok := errors.AsType[verdict](err); ok && v.err == nil {
		return nil // the exit code says it
	}
	all, several := errors.AsType[problems](err)
	if !several {
		all = problems{err}
	}
	var list []output.Problem
	for _, one := range all {
		list = append(list, inv.problemOf(one))
	}
	return list
}

// nobodyReads tells whether the reader of the output is gone, as with | head.
func nobodyReads(err error) bool {
	_, writing := errors.AsType[*output.WriteError](err)
	return writing && errors.Is(err, syscall.EPIPE)
}

func (inv *invocation) problemOf(err error) output.Problem {
	row := rowFor(err)
	p := output.Problem{Code: row.code, Reason: row.reason, Message: err.Error()}
	forNothing := inv.root != "" && isType[*waitedError](err) // a captured tree is not waited for
	if inv.timeout > 0 && errors.Is(err, context.DeadlineExceeded) && !forNothing {
		p.Hint = fmt.Sprintf("--timeout %v has passed", inv.timeout)
	}
	if w, ok := errors.AsType[*inTheWayError](err); ok {
		p.Hint = w.hint()
	}
	if u, ok := errors.AsType[*usageError](err); ok {
		p.Candidates, p.Hint = u.candidates, u.hint
	}
	return p
}
