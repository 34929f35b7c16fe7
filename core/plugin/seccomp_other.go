//go:build !amd64 && !arm64

package plugin

import "errors"

// CanBeChildless tells whether this build knows how to give up having children.
const CanBeChildless = false

// forbidChildren is written for the machines that most HCAs are in; on others,
// ibctl takes the next best guarantee.
func forbidChildren() error { return errors.ErrUnsupported }
