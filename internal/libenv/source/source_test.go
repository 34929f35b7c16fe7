package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/ibctl/ibctl/internal/libenv"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// procOf makes a /proc with a process 42 whose root has files.
func procOf(t *testing.T, environ string, files map[string]string) string {
	t.Helper()
	proc := t.TempDir()
	write(t, filepath.Join(proc, "42/environ"), environ)
	for name, text := range files {
		write(t, filepath.Join(proc, "42/root", name), text)
	}
	return proc
}

func TestOf(t *testing.T) {
	proc := procOf(t, "PATH=/bin\x00HOME=/home/u\x00NCCL_IB_HCA==mlx5_1\x00UCX_TLS=rc\x00NCCL_EMPTY=\x00", map[string]string{
		"/home/u/.nccl.conf": "# NCCL_DEBUG=INFO\nNCCL_IB_GID_INDEX=3\r\nNCCL_IB_HCA=mlx5_9\nPATH=/evil\nnonsense\n",
		"/etc/nccl.conf":     "NCCL_IB_GID_INDEX=0\nNCCL_IB_TC=106\n",
	})
	got, warnings, err := Of(proc, 42)
	want := []libenv.Variable{
		{Name: "NCCL_IB_HCA", Value: "=mlx5_1", Source: "environment"}, {Name: "UCX_TLS", Value: "rc", Source: "environment"},
		{Name: "NCCL_EMPTY", Source: "environment"},
		{Name: "NCCL_IB_GID_INDEX", Value: "3", Source: "/home/u/.nccl.conf"}, {Name: "NCCL_IB_TC", Value: "106", Source: "/etc/nccl.conf"},
	}
	if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, %v\nwant %+v", got, warnings, err, want)
	}
}

func TestConfFile(t *testing.T) {
	proc := procOf(t, "HOME=/home/u\x00NCCL_CONF_FILE=/other.conf\x00", map[string]string{
		"/home/u/.nccl.conf": "NCCL_DEBUG=INFO\n", "/other.conf": "NCCL_DEBUG=WARN\n",
	})
	got, _, err := Of(proc, 42)
	if err != nil || valueOf(got, "NCCL_DEBUG") != "WARN" {
		t.Errorf("%+v, %v", got, err)
	}
}

// What can't be read is a warning beside what can.
func TestTrouble(t *testing.T) {
	proc := procOf(t, "UCX_TLS=rc\x00", nil)
	if err := os.MkdirAll(filepath.Join(proc, "42/root/etc/nccl.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, warnings, err := Of(proc, 42)
	if err != nil || len(got) != 1 || len(warnings) != 1 {
		t.Errorf("%+v, %v, %v", got, warnings, err)
	}
	if _, _, err := Of(proc, 43); !errors.Is(err, ErrNoProcess) {
		t.Errorf("a process that is not there: %v", err)
	}
	if _, _, err := Of("/proc", 1); err != nil && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("process 1: %v", err)
	}
}

func TestNetnsOf(t *testing.T) {
	proc := procOf(t, "", nil)
	for name, target := range map[string]string{"self/ns/net": "net:[1]", "42/ns/net": "net:[2]", "43/ns/net": "net:[1]"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(proc, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(proc, name)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := NetnsOf(proc, 42); err != nil || n.Own || n.Label != "net:[2]" || n.Path != filepath.Join(proc, "42/ns/net") {
		t.Errorf("another: %+v, %v", n, err)
	}
	if n, err := NetnsOf(proc, 43); err != nil || !n.Own {
		t.Errorf("the same: %+v, %v", n, err)
	}
	if _, err := NetnsOf(proc, 44); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}

func TestOwn(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("NCCL_IB_HCA", "mlx5_0")
	if got, _ := Own(); valueOf(got, "NCCL_IB_HCA") != "mlx5_0" {
		t.Errorf("%+v", got)
	}
}
