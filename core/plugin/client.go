package plugin

import (
	"context"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
)

// Client is what a plugin author implements. The optional interfaces below are
// found by type assertion on the same value.
type Client interface {
	// Name is the name under which ibctl knows the client.
	Name() string

	// Add starts driving dev. The data it returns, which may be nil, is
	// [Device.Data] from then on. If Add fails the client is not attached:
	// dev's context ends, what was started with dev.Go is waited for, and there
	// is no Remove.
	//
	// ctx ends when the device is on its way out or time is up. Add should then
	// give up; if it succeeds all the same, Remove follows at once.
	Add(ctx context.Context, dev *Device) (data any, err error)

	// Remove stops driving dev. When it is called, dev's context has ended and
	// no question about dev is running. After it has returned, whatever dev.Go
	// started is waited for; only then is ibctl told. An error, like a missed
	// deadline, makes ibctl end the process: nothing less would prove that the
	// device is let go.
	Remove(ctx context.Context, dev *Device) error
}

// Configurer is a Client that takes configuration, or that asks the host things
// of its own accord.
type Configurer interface {
	// Configure is called once, before the first Add. config is the client's
	// part of ibctl's configuration as JSON; empty where there is none. An error
	// ends the plugin.
	Configure(ctx context.Context, host *Host, config []byte) error
}

// ChangeHandler is a Client that wants to hear when something about an attached
// device may have changed: its name, its description, a GID table, a netdev.
// [Device.Info] is up to date when Changed is called.
//
// It never overlaps with Add or Remove of the same device; ctx ends as for Add.
// It is a hint, and several changes may come as one call. An error is noted, and
// the device stays attached.
type ChangeHandler interface {
	Changed(ctx context.Context, dev *Device, what core.Change) error
}

// Versioner is a Client that has a version of its own to show in ibctl client list.
type Versioner interface {
	Version() string
}

// ServiceProvider is a Client that answers questions of its own, with gRPC
// services on the connection that ibctl already has. Handlers get at a device by
// [Devices.Use], which refuses those that are leaving.
type ServiceProvider interface {
	// RegisterServices is called once, before the process is ready.
	RegisterServices(r grpc.ServiceRegistrar, devices *Devices)
}
