package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

// testClient is a client put together from functions; nil ones do nothing.
type testClient struct {
	name      string
	configure func(ctx context.Context, host *plugin.Host, config []byte) error
	add       func(ctx context.Context, dev *plugin.Device) (any, error)
	remove    func(ctx context.Context, dev *plugin.Device) error
	changed   func(ctx context.Context, dev *plugin.Device, what core.Change) error
}

func (c *testClient) Name() string    { return c.name }
func (c *testClient) Version() string { return "test" }

func (c *testClient) Configure(ctx context.Context, host *plugin.Host, config []byte) error {
	if c.configure == nil {
		return nil
	}
	return c.configure(ctx, host, config)
}

func (c *testClient) Add(ctx context.Context, dev *plugin.Device) (any, error) {
	if c.add == nil {
		return nil, nil
	}
	return c.add(ctx, dev)
}

func (c *testClient) Remove(ctx context.Context, dev *plugin.Device) error {
	if c.remove == nil {
		return nil
	}
	return c.remove(ctx, dev)
}

func (c *testClient) Changed(ctx context.Context, dev *plugin.Device, what core.Change) error {
	if c.changed == nil {
		return nil
	}
	return c.changed(ctx, dev, what)
}

// togetherSize is how many Removes have to be under way before one returns.
const togetherSize = 5

// testClients are the plugins of these tests by name.
var testClients = map[string]func() plugin.Client{
	"good": func() plugin.Client { return &testClient{name: "good"} },

	// announcer tells when an Add or Remove has begun, and then takes a while.
	"announcer": func() plugin.Client {
		return &testClient{
			name: "announcer",
			add: func(ctx context.Context, dev *plugin.Device) (any, error) {
				return nil, announce(dev, "adding", time.Second)
			},
			remove: func(ctx context.Context, dev *plugin.Device) error { return announce(dev, "removing", time.Second) },
		}
	},
	"stuck-add": func() plugin.Client {
		return &testClient{name: "stuck-add", add: func(ctx context.Context, dev *plugin.Device) (any, error) {
			return nil, announce(dev, "adding", time.Hour)
		}}
	},
	"stuck-remove": func() plugin.Client {
		return &testClient{name: "stuck-remove", remove: func(ctx context.Context, dev *plugin.Device) error {
			return announce(dev, "removing", time.Hour)
		}}
	},
	"patient-add": func() plugin.Client {
		return &testClient{name: "patient-add", add: func(ctx context.Context, dev *plugin.Device) (any, error) {
			_ = announce(dev, "adding", 0)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}}
	},
	"failing": func() plugin.Client {
		return &testClient{
			name: "failing",
			add: func(context.Context, *plugin.Device) (any, error) {
				return nil, fmt.Errorf("open port: %w", syscall.EBUSY)
			},
			remove: func(context.Context, *plugin.Device) error { return errors.New("must not be called") },
		}
	},
	"fail-remove": func() plugin.Client {
		return &testClient{name: "fail-remove", remove: func(context.Context, *plugin.Device) error { return syscall.EIO }}
	},
	"crash-add": func() plugin.Client {
		return &testClient{name: "crash-add", add: func(context.Context, *plugin.Device) (any, error) { panic("crash in add") }}
	},
	"crash-remove": func() plugin.Client {
		return &testClient{name: "crash-remove", remove: func(context.Context, *plugin.Device) error { os.Exit(7); return nil }}
	},

	// The parents start a process that outlives them, if it is let.
	"parent":        func() plugin.Client { return &testClient{name: "parent", add: bear(false, false)} },
	"parent-setsid": func() plugin.Client { return &testClient{name: "parent-setsid", add: bear(true, false)} },
	"parent-stdout": func() plugin.Client { return &testClient{name: "parent-stdout", add: bear(false, true)} },

	// The busy ones take a while, and work all the time; two have children.
	"busy": func() plugin.Client { return &testClient{name: "busy", add: busyAdd, remove: busyRemove} },
	"busy-parent": func() plugin.Client {
		return &testClient{name: "busy-parent", add: both(bear(false, false), busyAdd), remove: busyRemove}
	},
	"busy-parent-setsid": func() plugin.Client {
		return &testClient{name: "busy-parent-setsid", add: both(bear(true, false), busyAdd), remove: busyRemove}
	},

	// flusher is the scenario of 2015: Remove waits for a worker that enumerates.
	"flusher": func() plugin.Client { return &testClient{name: "flusher", add: flusherAdd, remove: flusherRemove} },

	// caller asks the host in Add and in Remove.
	"caller": func() plugin.Client {
		return &testClient{
			name:   "caller",
			add:    func(ctx context.Context, dev *plugin.Device) (any, error) { return nil, count(ctx, dev) },
			remove: count,
		}
	},
	"fickle": func() plugin.Client {
		return &testClient{name: "fickle", changed: func(ctx context.Context, dev *plugin.Device, what core.Change) error {
			if what == core.ChangeGIDs {
				_ = announce(dev, "changing", 0)
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return announce(dev, "changed "+what.String()+" "+dev.Info().Name, 0)
		}}
	},
	"configured": func() plugin.Client {
		return &testClient{name: "configured", configure: func(ctx context.Context, host *plugin.Host, config []byte) error {
			devices, err := host.Devices(ctx)
			if err != nil {
				return err
			}
			return fmt.Errorf("config %s, %d devices: %w", config, len(devices), syscall.ENOENT)
		}}
	},
	"together": func() plugin.Client {
		var all sync.WaitGroup
		all.Add(togetherSize)
		return &testClient{name: "together", remove: func(context.Context, *plugin.Device) error {
			all.Done()
			all.Wait()
			return nil
		}}
	},
	"impostor": func() plugin.Client { return &testClient{name: "someone-else"} },
	"talker": func() plugin.Client {
		return &testClient{name: "talker", add: func(context.Context, *plugin.Device) (any, error) {
			slog.Warn("structured", "answer", 42)
			fmt.Println("to stdout")
			fmt.Fprintln(os.Stderr, "to stderr")
			return nil, nil
		}}
	},
	"lingering": func() plugin.Client { return &testClient{name: "lingering"} },
	"asked":     func() plugin.Client { return &askedClient{testClient{name: "asked"}} },
}

// announce sends an event and then sleeps, whatever any context says.
func announce(dev *plugin.Device, what string, d time.Duration) error {
	err := dev.Emit(context.Background(), plugin.Event{Kind: what})
	time.Sleep(d)
	return err
}

// bear returns an Add that starts a process.
func bear(setsid, stdout bool) func(context.Context, *plugin.Device) (any, error) {
	return func(context.Context, *plugin.Device) (any, error) {
		cmd := exec.Command("sleep", "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: setsid}
		if stdout {
			cmd.Stdout = os.NewFile(1, "stdout")
			cmd.Stderr = os.NewFile(2, "stderr")
		}
		return nil, cmd.Start()
	}
}

// both is one Add after another.
func both(first, second func(context.Context, *plugin.Device) (any, error)) func(context.Context, *plugin.Device) (any, error) {
	return func(ctx context.Context, dev *plugin.Device) (any, error) {
		if _, err := first(ctx, dev); err != nil {
			return nil, err
		}
		return second(ctx, dev)
	}
}

// busyAdd asks ibctl something now and goes on doing so until Remove.
func busyAdd(ctx context.Context, dev *plugin.Device) (any, error) {
	err := dev.Go(func(ctx context.Context) {
		for ctx.Err() == nil {
			_ = busyRemove(ctx, dev)
		}
	})
	if err != nil {
		return nil, err
	}
	return nil, busyRemove(ctx, dev)
}

func busyRemove(ctx context.Context, dev *plugin.Device) error {
	_, err := dev.Host().Devices(ctx)
	time.Sleep(2 * time.Millisecond)
	return err
}

type worker struct {
	work chan struct{}
	done chan error
}

func flusherAdd(_ context.Context, dev *plugin.Device) (any, error) {
	w := &worker{work: make(chan struct{}), done: make(chan error, 1)}
	return w, dev.Go(func(context.Context) {
		<-w.work
		_, err := dev.Host().RoCEPorts(context.Background(), rdma.Opt[uint32]{})
		w.done <- err
	})
}

func flusherRemove(_ context.Context, dev *plugin.Device) error {
	w := dev.Data().(*worker)
	close(w.work)
	return <-w.done
}

func count(ctx context.Context, dev *plugin.Device) error {
	devices, err := dev.Host().Devices(ctx)
	if err != nil {
		return err
	}
	return announce(dev, fmt.Sprintf("counted %d", len(devices)), 0)
}

// askedClient serves questions: Ask waits in the device until it leaves, unless
// the question is "now".
type askedClient struct{ testClient }

const askMethod = "/ibctl.test.Asked/Ask"

func (c *askedClient) RegisterServices(r grpc.ServiceRegistrar, devices *plugin.Devices) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: "ibctl.test.Asked",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Ask", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			id := new(pluginv1.DeviceID)
			if err := decode(id); err != nil {
				return nil, err
			}
			name := ""
			err := devices.Use(ctx, id, func(ctx context.Context, dev *plugin.Device) error {
				name = dev.Info().Name
				if strings.HasPrefix(name, "wait") {
					_ = announce(dev, "asked", 0)
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			})
			return wrapperspb.String(name), err
		}}},
	}, c)
}

// crookedMains are plugins that go wrong before, or instead of, serving.
var crookedMains = map[string]func(){
	"exits":      func() { fmt.Fprintln(os.Stderr, "no licence today"); os.Exit(9) },
	"exits-fine": func() {},
	"hangs":      func() { time.Sleep(time.Hour) },
	"chatty":     func() { fmt.Println("Welcome to my plugin!"); time.Sleep(time.Hour) },
	"old":        func() { fmt.Println("1|7|unix|/tmp/x|grpc|"); time.Sleep(time.Hour) },
	"elsewhere":  func() { fmt.Println("1|1|unix|/tmp/x|grpc|"); time.Sleep(time.Hour) },
	"silent": func() {
		// A valid line, a socket that nobody listens on.
		dir := os.Getenv("PLUGIN_UNIX_SOCKET_DIR")
		fmt.Printf("1|1|unix|%s/none|grpc|\n", dir)
		time.Sleep(time.Hour)
	},
	"flood": func() {
		for i := range 5000 {
			fmt.Fprintln(os.Stderr, "line", i, strings.Repeat("x", 100))
		}
		fmt.Fprintln(os.Stderr, strings.Repeat("y", 1<<20))
		os.Exit(1)
	},
	"panics":  func() { panic("I cannot go on") },
	"lingers": func() { plugin.Serve(testClients["lingering"]()); time.Sleep(time.Hour) },
}
