package vm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/lab/depot"
)

// fakeKernel makes a module tree in which one early module is built in and another is compressed.
func fakeKernel(t *testing.T) depot.Kernel {
	t.Helper()
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("no xz on this machine")
	}
	dir := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("modules.dep", "9p.ko.xz: 9pnet.ko\n9pnet.ko:\n9pnet_virtio.ko: 9pnet.ko\noverlay.ko:\nvirtio_console.ko:\n")
	write("modules.builtin", "kernel/drivers/virtio/virtio_pci.ko\n")
	for _, name := range []string{"9p", "9pnet", "9pnet_virtio", "overlay", "virtio_console"} {
		write(name+".ko", "module "+name)
	}
	if out, err := exec.Command("xz", filepath.Join(dir, "9p.ko")).CombinedOutput(); err != nil {
		t.Fatalf("xz: %v: %s", err, out)
	}
	return depot.Kernel{Release: "7.1", Modules: dir}
}

func TestInitramfs(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("no cpio on this machine")
	}
	ctx, dir, k := context.Background(), t.TempDir(), fakeKernel(t)
	guest := filepath.Join(t.TempDir(), "guest")
	if err := os.WriteFile(guest, []byte("first"), 0o644); err != nil {
		t.Fatal(err)
	}
	name, err := Initramfs(ctx, dir, k, guest)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("cpio", "-t", "--quiet", "-F", name).Output()
	want := []string{"init", "modules", "root", "host", "rw", "modules/00-virtio_console.ko", "modules/01-9pnet.ko",
		"modules/02-9pnet_virtio.ko", "modules/03-9p.ko", "modules/04-overlay.ko"}
	if err != nil || !slices.Equal(strings.Fields(string(out)), want) {
		t.Errorf("content %q, %v; want %q", out, err, want)
	}
	content, err := os.ReadFile(name)
	if err != nil || !bytes.Contains(content, []byte("module 9p\x00")) {
		t.Errorf("9p is not there uncompressed: %v", err)
	}
	if again, err := Initramfs(ctx, dir, k, guest); err != nil || again != name {
		t.Errorf("a second time: %s, %v; want %s", again, err, name)
	}
	if err := os.WriteFile(guest, []byte("second"), 0o644); err != nil {
		t.Fatal(err)
	}
	other, err := Initramfs(ctx, dir, k, guest)
	if err != nil || other == name {
		t.Errorf("another guest: %s, %v", other, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); !slices.Equal(left, []string{other}) {
		t.Errorf("left in the cache: %v", left)
	}
}

func TestNoQEMU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Run(context.Background(), Config{Command: []string{"true"}})
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "QEMU") {
		t.Errorf("error %v", err)
	}
}

// TestQEMUFails shows QEMU's own words when it can't even start.
func TestQEMUFails(t *testing.T) {
	if _, err := exec.LookPath(qemuProgram); err != nil {
		t.Skip("no QEMU on this machine")
	}
	missing := filepath.Join(t.TempDir(), "vmlinuz")
	_, err := Run(context.Background(), Config{Kernel: depot.Kernel{Release: "7.1", Image: missing}, Initrd: missing, Command: []string{"true"}})
	if !errors.Is(err, ErrDied) || !strings.Contains(err.Error(), missing) {
		t.Errorf("error %v", err)
	}
}

func TestCancel(t *testing.T) {
	if _, err := exec.LookPath(qemuProgram); err != nil {
		t.Skip("no QEMU on this machine")
	}
	// A BIOS without anything to boot from never says hello.
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("no longer wanted"))
	image := filepath.Join(t.TempDir(), "vmlinuz")
	if err := os.WriteFile(image, bytes.Repeat([]byte{0xf4}, 1<<16), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Run(ctx, Config{Kernel: depot.Kernel{Release: "7.1", Image: image}, Initrd: image, Command: []string{"true"}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestStoppedQuotes(t *testing.T) {
	console := strings.Repeat("boot\r\n", 500) + "question\n" + strings.Repeat("answer\n", 100)
	e := &Stopped{Reason: ErrSilence, Detail: "10s passed", Release: "7.1", Console: []byte(console)}
	if n := strings.Count(e.Error(), "\n"); n != consoleTail+1 {
		t.Errorf("%d lines of the console's end", n)
	}
	e.Hang = strings.Index(console, "question")
	if text := e.Error(); strings.Contains(text, "boot") || strings.Count(text, "answer") != 100 || !strings.Contains(text, "10s passed") {
		t.Errorf("a hang: %s", text)
	}
	if text := (&Stopped{Reason: ErrBoot}).Error(); !strings.Contains(text, "the console is empty") {
		t.Errorf("no console: %s", text)
	}
}

func TestComplaints(t *testing.T) {
	r := Result{Console: []byte(`[    1.0] PCI: if necessary, use "pci=nocrs" and report a bug
[    2.0] AMD-Vi: not available on this system - This is not a bug.
[    3.0] WARNING: CPU: 1 PID: 7 at drivers/infiniband/core/device.c:1 f+0x1/0x2
[    4.0] BUG: kernel NULL pointer dereference, address: 0000000000000008
[    5.0] INFO: task rdma:151 blocked for more than 120 seconds.
[    6.0] INFO: NMI handler (nmi_cpu_backtrace_handler) took too long to run: 5.156 msecs
`)}
	got := r.Complaints()
	if len(got) != 3 || !strings.Contains(got[0], "WARNING") || !strings.Contains(got[1], "BUG") || !strings.Contains(got[2], "task rdma") {
		t.Errorf("%q", got)
	}
}
