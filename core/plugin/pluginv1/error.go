package pluginv1

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
)

// NewError writes an error down: its text, made UTF-8, its gRPC code, and the errno in its
// chain, so that errors.Is finds the kernel's answer on the other side too. It
// returns nil for nil.
func NewError(err error) *Error {
	if err == nil {
		return nil
	}
	out := &Error{Code: uint32(codeOf(err)), Message: readableText(textOf(err))}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		out.Errno = uint32(errno)
	}
	return out
}

func codeOf(err error) codes.Code {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Code()
	}
	return status.Code(err)
}

// textOf leaves out gRPC's own "rpc error: code = ..." of a status in err: the code
// travels beside the text.
func textOf(err error) string {
	var s interface {
		error
		GRPCStatus() *status.Status
	}
	if !errors.As(err, &s) {
		return err.Error()
	}
	return strings.Replace(err.Error(), s.Error(), s.GRPCStatus().Message(), 1)
}

// Err returns the error that x stands for, or nil for nil. Its type is
// [*RemoteError]. What is said to be an error is one, even if its code is OK.
func (x *Error) Err() error {
	if x == nil {
		return nil
	}
	code := codes.Code(x.GetCode())
	if code == codes.OK {
		code = codes.Unknown
	}
	return &RemoteError{Code: code, Message: x.GetMessage(), Errno: syscall.Errno(x.GetErrno())}
}

// RemoteError is an error that happened on the other side of the connection.
// errors.Is sees its errno, and context.Canceled or context.DeadlineExceeded
// where that was the cause.
type RemoteError struct {
	Code    codes.Code
	Message string
	Errno   syscall.Errno
}

// Error returns the other side's text.
func (e *RemoteError) Error() string { return e.Message }

// GRPCStatus lets status.Code and status.FromError see the code.
func (e *RemoteError) GRPCStatus() *status.Status { return status.New(e.Code, e.Message) }

// Unwrap returns the errno or the context's error, if either was the cause.
func (e *RemoteError) Unwrap() error {
	switch {
	case e.Errno != 0:
		return e.Errno
	case e.Code == codes.Canceled:
		return context.Canceled
	case e.Code == codes.DeadlineExceeded:
		return context.DeadlineExceeded
	}
	return nil
}

// ToStatus makes err fit to be returned from a gRPC handler: a status error
// which carries the errno. A status is left as it is.
func ToStatus(err error) error {
	if err == nil || isBareStatus(err) {
		return err
	}
	wire := NewError(err)
	s := status.New(codes.Code(wire.GetCode()), wire.GetMessage())
	if detailed, err := s.WithDetails(protoadapt.MessageV1Of(wire)); err == nil {
		s = detailed
	}
	return s.Err()
}

// isBareStatus leaves out RemoteError, whose status alone would lose the errno.
func isBareStatus(err error) bool {
	if _, remote := err.(*RemoteError); remote {
		return false
	}
	_, ok := err.(interface{ GRPCStatus() *status.Status })
	return ok
}

// FromStatus is the way back: it returns the [*RemoteError] that ToStatus made a
// status of, or err itself.
func FromStatus(err error) error {
	s, ok := status.FromError(err)
	if !ok || err == nil {
		return err
	}
	for _, detail := range s.Details() {
		if wire, ok := detail.(*Error); ok {
			return wire.Err()
		}
	}
	return err
}
