package core

import "errors"

// ErrInCallback is returned to a caller that tries to register or unregister
// from within a client's Add or Remove. The kernel would deadlock there.
var ErrInCallback = errors.New("not allowed from within a client's Add or Remove")
