package core_test

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// logger is a client that drives nothing, and says when it would.
type logger struct{ name string }

func (l logger) Name() string { return l.name }

func (l logger) Add(_ context.Context, dev core.Device) (any, error) {
	fmt.Println(l.name, "drives", dev)
	return nil, nil
}

func (l logger) Remove(_ context.Context, dev core.Device, _ any) error {
	fmt.Println(l.name, "is off", dev)
	return nil
}

func Example() {
	ctx := context.Background()
	registry := core.NewRegistry(core.Options{})
	for _, name := range []string{"roce", "cm"} {
		if err := registry.RegisterClient(ctx, logger{name}); err != nil {
			fmt.Println(err)
		}
	}
	id, err := registry.RegisterDevice(ctx, rdma.Device{Name: "mlx5_0", Index: rdma.Known[uint32](3)})
	fmt.Println("registered:", id, err)

	fmt.Println("unregistered:", registry.UnregisterDevice(ctx, id))
	fmt.Println(registry.UnregisterDevice(ctx, id))

	// Output:
	// roce drives mlx5_0 (#3.1)
	// cm drives mlx5_0 (#3.1)
	// registered: #3.1 <nil>
	// cm is off mlx5_0 (#3.1)
	// roce is off mlx5_0 (#3.1)
	// unregistered: <nil>
	// unregister device #3.1: gone: the ID is of an earlier generation
}
