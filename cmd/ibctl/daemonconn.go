package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/host"
)

// noSocket is the value of --socket for doing without ibctl serve.
const noSocket = "none"

// greetingLimit is how long ibctl serve is given to say that it is there. It does
// so at once, unless it is stopped or worse.
const greetingLimit = 5 * time.Second

// opWithout is what a verb does where ibctl serve cannot be asked, unless it refuses.
const opWithout = "ask, so doing without it"

// errOtherNamespace means that ibctl serve sees devices from another network
// namespace.
var errOtherNamespace = errors.New("it sees the devices from another network namespace")

// daemonConn is a connection to an ibctl serve that sees what this process sees.
type daemonConn struct {
	*api.Conn
	mayChange bool
}

// askDaemon returns the connection to ibctl serve, or nil where the verb is to do
// without: there is none, or it is not for this caller. It is made once; finish
// closes it.
func (inv *invocation) askDaemon(ctx context.Context) (*daemonConn, error) {
	if inv.asked || inv.root != "" || inv.socket == noSocket {
		return inv.daemon, nil
	}
	inv.asked = true
	if inv.pool != nil && inv.pool.conns[inv.socket] != nil {
		inv.daemon = inv.pool.conns[inv.socket]
		return inv.daemon, nil
	}
	path, chosen := inv.socket, inv.socket != ""
	if !chosen {
		path = api.Socket
	}
	conn, err := api.Dial(ctx, path)
	if err == nil {
		inv.daemon, err = inv.greet(ctx, conn)
	}
	switch {
	case err == nil && inv.pool != nil:
		inv.pool.conns[inv.socket] = inv.daemon
	case err == nil:
	case chosen:
		return nil, err
	case errors.Is(err, api.ErrNotRunning), errors.Is(err, fs.ErrPermission), errors.Is(err, errOtherNamespace):
		inv.withoutDaemon(err)
	case ctx.Err() != nil:
		return nil, err
	default:
		inv.without = err
		inv.notes = append(inv.notes, rdma.Warning{Object: "ibctl serve", Op: opWithout, Err: err})
	}
	return inv.daemon, nil
}

// withoutDaemon notes why, and says so to those who want to know.
func (inv *invocation) withoutDaemon(why error) {
	inv.without = why
	if !errors.Is(why, api.ErrNotRunning) {
		inv.log().Debug("doing without ibctl serve", "why", why)
	}
}

// greet asks who answers.
func (inv *invocation) greet(ctx context.Context, conn *api.Conn) (*daemonConn, error) {
	hello, err := hello(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if v := thisBuild().Version; hello.GetVersion() != v {
		inv.notes = append(inv.notes, rdma.Warning{Object: "ibctl serve", Op: "compare versions",
			Err: fmt.Errorf("it is %s, and this is %s: restart it after an upgrade", hello.GetVersion(), v)})
	}
	return &daemonConn{conn, hello.GetMayChange()}, nil
}

func hello(ctx context.Context, conn *api.Conn) (*apiv1.HelloResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, greetingLimit)
	defer cancel()
	hello, err := conn.Hello(ctx, &apiv1.HelloRequest{})
	if status.Code(err) == codes.DeadlineExceeded {
		return nil, fmt.Errorf("no answer within %v: %w", greetingLimit, context.DeadlineExceeded)
	}
	if err != nil {
		return nil, plainStatus(err)
	}
	own, err := api.NetworkNamespace()
	if err != nil {
		return nil, err
	}
	if (api.Namespace{Device: hello.GetNetnsDevice(), Inode: hello.GetNetnsInode()}) != own {
		return nil, errOtherNamespace
	}
	return hello, nil
}

// forgetDaemon has the next question look for ibctl serve again.
func (inv *invocation) forgetDaemon() {
	if inv.pool != nil {
		inv.pool.hangUp(inv.socket)
	}
	inv.asked, inv.daemon = false, nil
}

// closeDaemon ends the connection, if there is one.
func (inv *invocation) closeDaemon() {
	if inv.daemon != nil && inv.pool == nil { // else the pool has
		_ = inv.daemon.Close()
	}
}

// devices returns the devices as ibctl serve reads them now.
func (d *daemonConn) devices(ctx context.Context, detail host.Detail) ([]rdma.Device, []rdma.Warning, error) {
	reply, err := d.ListDevices(ctx, &apiv1.ListDevicesRequest{Full: detail == host.Full})
	if err != nil {
		return nil, nil, plainStatus(err)
	}
	devices := make([]rdma.Device, 0, len(reply.GetDevices()))
	for _, listed := range reply.GetDevices() {
		dev, err := listed.GetDevice().RDMA()
		if err != nil {
			return nil, nil, fmt.Errorf("ibctl serve: %w", err)
		}
		if dev.Ports == nil {
			dev.Ports = []rdma.Port{} // none, which is known
		}
		devices = append(devices, dev)
	}
	return devices, apiv1.Warnings(reply.GetWarnings()), nil
}
