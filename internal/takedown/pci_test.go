package takedown

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// pciTree is a sysfs with one function, which has a driver.
func pciTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	driver := filepath.Join(root, "bus/pci/drivers/mlx5_core")
	function := filepath.Join(root, "bus/pci/devices/0000:3b:00.0")
	err := errors.Join(os.MkdirAll(driver, 0o755), os.MkdirAll(function, 0o755), os.Symlink(driver, filepath.Join(function, "driver")),
		os.Symlink("../0000:3b:00.2", filepath.Join(function, "virtfn0")), os.Symlink("../0000:3b:00.3", filepath.Join(function, "virtfn1")),
		os.WriteFile(filepath.Join(driver, "unbind"), nil, 0o644), os.WriteFile(filepath.Join(root, "bus/pci/drivers_probe"), nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestFindFunction(t *testing.T) {
	root := pciTree(t)
	for text, want := range map[string]error{
		"0000:3b:00.0": nil, "3B:00.0": nil, "0000:3b:00.1": ErrNoPCI, "": ErrBadPCI, "3b:00": ErrBadPCI, "../0000:3b:00.0": ErrBadPCI,
		"0000:3b:00.0/driver": ErrBadPCI, "eth0": ErrBadPCI, "0000:3b:20.0": ErrBadPCI,
	} {
		f, err := findFunction(root, text)
		if !errors.Is(err, want) || err == nil && (f.Address != "0000:3b:00.0" || f.Driver() != "mlx5_core") {
			t.Errorf("%q: %+v with driver %q, %v; want %v", text, f, f.Driver(), err, want)
		}
	}
}

func TestVirtualFunctions(t *testing.T) {
	f, err := findFunction(pciTree(t), "3b:00.0")
	if got := f.VirtualFunctions(); err != nil || len(got) != 2 || got[0] != "0000:3b:00.2" || got[1] != "0000:3b:00.3" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestPerformPCI(t *testing.T) {
	root := pciTree(t)
	for kind, file := range map[Kind]string{Unbind: "bus/pci/drivers/mlx5_core/unbind", Bind: "bus/pci/drivers_probe"} {
		if err := (Operation{Kind: kind, PCI: "0000:3b:00.0"}).perform(t.Context(), root); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(root, file)); string(got) != "0000:3b:00.0" || err != nil {
			t.Errorf("%s: wrote %q, %v", kind, got, err)
		}
	}
	if err := (Operation{Kind: Unbind, PCI: "0000:3b:00.7"}).perform(t.Context(), root); !errors.Is(err, ErrNoPCI) {
		t.Errorf("a function that is not there: %v", err)
	}
}
