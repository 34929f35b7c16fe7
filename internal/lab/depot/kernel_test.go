package depot

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree makes files, with their content by name, in a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindKernel(t *testing.T) {
	dir := tree(t, map[string]string{
		"boot/vmlinuz-6.1.0-50-amd64":                     "",
		"lib/modules/6.1.0-50-amd64/modules.dep":          "",
		"new/boot/vmlinuz-6.12.9":                         "",
		"new/usr/lib/modules/6.12.9/modules.dep":          "",
		"newer/boot/vmlinuz-6.12.107":                     "",
		"newer/usr/lib/modules/6.12.107/modules.dep":      "",
		"seven/usr/lib/modules/7.3.4+deb13/modules.dep":   "",
		"seven/usr/lib/modules/7.3.4+deb13/vmlinuz":       "",
		"other/lib/modules/5.10.0/modules.dep":            "",
		"no/depth/is/searched/lib/modules/7.9/modules.de": "",
	})
	for series, image := range map[Series]string{
		Linux6_1:  "boot/vmlinuz-6.1.0-50-amd64",
		Linux6_12: "newer/boot/vmlinuz-6.12.107",
		Linux7:    "seven/usr/lib/modules/7.3.4+deb13/vmlinuz",
	} {
		k, err := find(dir, series)
		if err != nil || k.Image != filepath.Join(dir, image) || !series.Has(k.Release) || filepath.Base(k.Modules) != k.Release {
			t.Errorf("%s: %+v, %v", series, k, err)
		}
	}
}

func TestFindKernelErrors(t *testing.T) {
	if _, err := find(t.TempDir(), Linux7); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
	noImage := tree(t, map[string]string{"lib/modules/7.1/modules.dep": ""})
	if _, err := find(noImage, Linux7); err == nil || errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "image") {
		t.Errorf("no image: %v", err)
	}
	noDep := tree(t, map[string]string{"lib/modules/7.1/vmlinuz": ""})
	if _, err := find(noDep, Linux7); err == nil || errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "depmod") {
		t.Errorf("no modules.dep: %v", err)
	}
}

func TestCompareVersions(t *testing.T) {
	ascending := []string{"", "6.1.0-9-amd64", "6.1.0-50-amd64", "6.1.176", "6.12.9+deb12", "6.12.9+deb13", "6.12.107", "7.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := compareVersions(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%q and %q: %d", a, b, got)
			}
		}
	}
}

func TestModuleFiles(t *testing.T) {
	dir := tree(t, map[string]string{
		"modules.dep": "kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs.ko.xz\n" +
			"kernel/net/9p/9pnet.ko.xz:\n" +
			"kernel/fs/netfs.ko.xz:\n" +
			"kernel/net/9p/9pnet-virtio.ko.xz: kernel/net/9p/9pnet.ko.xz\n",
		"modules.builtin": "kernel/drivers/virtio/virtio_pci.ko\n",
	})
	k := Kernel{Release: "7.1", Modules: dir}
	files, err := k.ModuleFiles("virtio_pci", "9pnet_virtio", "9p")
	var names []string
	for _, f := range files {
		names = append(names, moduleName(f))
	}
	// What a module needs comes before it, and nothing comes twice.
	if want := []string{"9pnet", "9pnet_virtio", "netfs", "9p"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%v, %v; want %v", names, err, want)
	}
	if _, err := k.ModuleFiles("rdma_rxe"); err == nil || !strings.Contains(err.Error(), "rdma_rxe") {
		t.Errorf("missing module: %v", err)
	}
}

func TestKernelsFromElsewhere(t *testing.T) {
	dir := tree(t, map[string]string{"k/lib/modules/7.1/modules.dep": "", "k/lib/modules/7.1/vmlinuz": ""})
	t.Setenv(EnvKernels, dir)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	d, err := Open(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := d.Kernel(context.Background(), Linux7); err != nil || k.Release != "7.1" {
		t.Errorf("%+v, %v", k, err)
	}
	// What is not there is not fetched either: the user has said where kernels come from.
	if _, err := d.Kernel(context.Background(), Linux6_1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("6.1: %v", err)
	}
}
