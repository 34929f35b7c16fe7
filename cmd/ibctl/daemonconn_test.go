package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
)

// oddDaemon is an ibctl serve of another version, or another network namespace,
// with one device and few of the methods.
type oddDaemon struct {
	apiv1.UnimplementedDaemonServer
	version string
	netns   api.Namespace
}

func (d *oddDaemon) Hello(context.Context, *apiv1.HelloRequest) (*apiv1.HelloResponse, error) {
	return &apiv1.HelloResponse{Version: d.version, NetnsDevice: d.netns.Device, NetnsInode: d.netns.Inode, MayChange: true}, nil
}

func (d *oddDaemon) ListDevices(context.Context, *apiv1.ListDevicesRequest) (*apiv1.ListDevicesResponse, error) {
	return &apiv1.ListDevicesResponse{Devices: []*apiv1.ListedDevice{{Device: &pluginv1.Device{Name: "mlx5_0"}}}}, nil
}

// listen serves until the test ends, and returns the socket.
func (d *oddDaemon) listen(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ib")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(api.Credentials()))
	apiv1.RegisterDaemonServer(server, d)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return path
}

// runIbctl runs this program as ibctl.
func runIbctl(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "ibctl"
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// An ibctl serve that was not restarted after an upgrade is named, and believed.
func TestOtherVersion(t *testing.T) {
	own, err := api.NetworkNamespace()
	if err != nil {
		t.Fatal(err)
	}
	socket := (&oddDaemon{version: "v0.0.1", netns: own}).listen(t)
	const warning = "ibctl serve: compare versions: it is v0.0.1, and this is "
	stdout, stderr, code := runIbctl(t, "--socket", socket, "dev", "list", "-o", "name")
	if code != exitDone || stdout != "mlx5_0\n" || !strings.Contains(stderr, warning) {
		t.Errorf("dev list: %d\n%s%s", code, stdout, stderr)
	}
	if stdout, _, code := runIbctl(t, "--socket", socket, "dev", "list", "-j"); code != exitDone || !strings.Contains(stdout, "it is v0.0.1") {
		t.Errorf("dev list -j: %d\n%s", code, stdout)
	}
	// What it does not know is told as that.
	_, stderr, code = runIbctl(t, "--socket", socket, "client", "load", "cm")
	if code != exitUnavailable || !strings.Contains(stderr, warning) || !strings.Contains(stderr, "LoadClient") {
		t.Errorf("client load: %d\n%s", code, stderr)
	}
}

// One that sees other devices is not believed.
func TestOtherNamespace(t *testing.T) {
	socket := (&oddDaemon{version: thisBuild().Version, netns: api.Namespace{Device: 1, Inode: 1}}).listen(t)
	stdout, stderr, code := runIbctl(t, "--socket", socket, "dev", "list")
	if code != exitUnavailable || stdout != "" || !strings.Contains(stderr, "another network namespace") {
		t.Errorf("dev list: %d\n%s%s", code, stdout, stderr)
	}
}
