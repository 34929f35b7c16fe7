package rdma

import "fmt"

// Warning is one thing that could not be read or makes no sense, kept beside
// all that could. It is an error and unwraps to its cause, so errors.Is finds
// the kernel's errno.
type Warning struct {
	// Object names what it is about: a device "mlx5_0", a port "mlx5_0/1", a
	// GID slot "mlx5_0/1/3".
	Object string
	// Op says what was attempted: "read phys_state".
	Op  string
	Err error
}

// Error implements error: "mlx5_0/1: read phys_state: invalid argument".
func (w Warning) Error() string { return fmt.Sprintf("%s: %s: %v", w.Object, w.Op, w.Err) }

// Unwrap returns the cause.
func (w Warning) Unwrap() error { return w.Err }
