package ucma

import (
	"errors"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"
)

func TestErrnosHaveAMeaningPerOperation(t *testing.T) {
	all := []error{ErrUnavailable, ErrNoDevice, ErrNoRoute, ErrNoNeighbour, ErrDeviceGone}
	tests := []struct {
		op    string
		errno unix.Errno
		want  error // nil: the errno says it all
	}{
		{opOpen, unix.ENOENT, ErrUnavailable},
		{opOpen, unix.ENXIO, ErrUnavailable},
		{opOpen, unix.EACCES, nil},
		{opBind, unix.ENODEV, ErrNoDevice},
		{opBind, unix.EADDRNOTAVAIL, nil},
		{opResolveAddr, unix.ENODEV, ErrNoDevice},
		{opResolveAddr, unix.ENETUNREACH, ErrNoRoute},
		{opResolveAddr, unix.ETIMEDOUT, ErrNoNeighbour},
		{opResolveRoute, unix.ENODEV, ErrNoDevice},
		{opConnect, unix.ENXIO, ErrDeviceGone},
		{opConnect, unix.ENODEV, nil},
		{opDestroy, unix.ENOENT, nil},
	}
	for _, tt := range tests {
		err := error(&Error{Op: tt.op, Object: "x", Err: tt.errno})
		if !errors.Is(err, tt.errno) {
			t.Errorf("%v: the errno is lost", err)
		}
		for _, sentinel := range all {
			if errors.Is(err, sentinel) != (sentinel == tt.want) {
				t.Errorf("%v: is %q: %v", err, sentinel, errors.Is(err, sentinel))
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]error{
		"resolve address 10.9.9.9: no route (network is unreachable)": &Error{Op: opResolveAddr, Object: "10.9.9.9", Err: unix.ENETUNREACH},
		"create id: permission denied":                                &Error{Op: opCreate, Err: unix.EACCES},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	if err := (&Error{Op: opCreate, Err: unix.EACCES}); !errors.Is(err, fs.ErrPermission) {
		t.Error("EACCES is no fs.ErrPermission")
	}
}
