package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/internal/takedown"
)

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{&output.WriteError{Err: syscall.ENOSPC}, 1},
		{usagef("no such flag"), 64},
		{fmt.Errorf("x: %w", host.ErrBadSelector), 64},
		{fmt.Errorf("x: %w", host.ErrNotFound), 66},
		{&emptySlotError{"rxe0/1/3"}, 66},
		{status.Error(codes.NotFound, "no such port"), 66},
		{&pluginv1.RemoteError{Code: codes.FailedPrecondition, Message: "leaving"}, 66},
		{host.ErrNoRDMA, 69},
		{&supervisor.StartError{Plugin: "roce", Reason: supervisor.ErrHandshake}, 69},
		{&supervisor.StartError{Plugin: "roce", Reason: syscall.EACCES}, 69},
		{&supervisor.DeadError{Plugin: "roce", Reason: supervisor.ErrExited}, 69},
		{status.Error(codes.Unavailable, "connection closed"), 69},
		{fmt.Errorf("%w: %w", errNoPlugins, syscall.EROFS), 69},
		{&takedown.OperationError{Message: "no RDMA netlink", Errno: syscall.EPROTONOSUPPORT}, 69},
		{fmt.Errorf("read: %w", syscall.EBUSY), 75},
		{context.DeadlineExceeded, 75},
		{status.Error(codes.DeadlineExceeded, "late"), 75},
		{fmt.Errorf("open: %w", fs.ErrPermission), 77},
		{fmt.Errorf("nldev: %w", syscall.EPERM), 77},
		{&pluginv1.RemoteError{Code: codes.Unknown, Errno: syscall.EACCES}, 77},
		{interruption{syscall.SIGINT}, 130},
		{interruption{syscall.SIGTERM}, 143},
		{&output.WriteError{Err: syscall.EPIPE}, 141},
		// Of several errors, the row that stands first decides.
		{problems{errors.New("anything"), fmt.Errorf("x: %w", host.ErrNotFound)}, 66},
		{problems{fmt.Errorf("x: %w", host.ErrNotFound), usagef("ambiguous")}, 64},
	} {
		inv := &invocation{stdout: io.Discard, stderr: io.Discard, format: output.Table}
		if got := inv.finish(tt.err); got != tt.want {
			t.Errorf("%v (%T): exit code %d, want %d", tt.err, tt.err, got, tt.want)
		}
	}
}

// TestQuietEnds: nobody needs to be told that the reader of a pipe is gone, or
// that a command was interrupted.
func TestQuietEnds(t *testing.T) {
	for _, err := range []error{nil, &output.WriteError{Err: syscall.EPIPE}, interruption{syscall.SIGINT}} {
		var stderr bytes.Buffer
		(&invocation{stderr: &stderr, format: output.Table}).finish(err)
		if stderr.Len() > 0 {
			t.Errorf("%v: says %q", err, stderr.String())
		}
	}
}

// TestEveryProblemIsTold: with several errors, each has its line.
func TestEveryProblemIsTold(t *testing.T) {
	var stderr bytes.Buffer
	inv := &invocation{stderr: &stderr, format: output.Table}
	inv.finish(problems{errors.New("one"), errors.New("two")})
	if got, want := stderr.String(), "ibctl: one\nibctl: two\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPluginThatDoesNotStart asks for a client that the binary does not have:
// the plugin process ends instead of serving.
func TestPluginThatDoesNotStart(t *testing.T) {
	var stderr bytes.Buffer
	inv := &invocation{stderr: &stderr, format: output.Table}
	_, err := inv.openSession(t.Context(), nil, "nosuch")
	if code := inv.finish(err); code != exitUnavailable {
		t.Errorf("exit code %d, want %d", code, exitUnavailable)
	}
	if !strings.Contains(stderr.String(), "nosuch") {
		t.Errorf("the message does not name the plugin: %q", stderr.String())
	}
}

// TestInterrupt: a signal ends the context of a command, and is what the command
// then ends with.
func TestInterrupt(t *testing.T) {
	ctx, stop := interruptible(t.Context())
	defer stop()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("the signal changed nothing")
	}
	err := orInterruption(ctx, errors.New("some RPC was cancelled"))
	if err != (interruption{syscall.SIGINT}) {
		t.Errorf("%v, want the interruption", err)
	}
}

// TestNoInterrupt: without a signal, the error stays what it was.
func TestNoInterrupt(t *testing.T) {
	ctx, stop := interruptible(t.Context())
	stop()
	want := errors.New("some error")
	if err := orInterruption(ctx, want); err != want {
		t.Errorf("%v, want %v", err, want)
	}
}
