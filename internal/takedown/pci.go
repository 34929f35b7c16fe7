package takedown

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	// ErrBadPCI says that a text is no address of a PCI function.
	ErrBadPCI = errors.New("no PCI address, such as 0000:3b:00.0")
	// ErrNoPCI says that there is no such function.
	ErrNoPCI = errors.New("no such PCI function")
)

// Function is a PCI function.
type Function struct {
	Address string
	sysfs   string
}

var pciAddress = regexp.MustCompile(`^([0-9a-f]{4,8}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$`)

// FindFunction finds a function by its address, whose domain may be left out if it
// is 0000.
func FindFunction(text string) (Function, error) { return findFunction("/sys", text) }

func findFunction(sysfs, text string) (Function, error) {
	address := strings.ToLower(text)
	if !pciAddress.MatchString(address) {
		return Function{}, fmt.Errorf("%q: %w", text, ErrBadPCI)
	}
	if strings.Count(address, ":") == 1 {
		address = "0000:" + address
	}
	f := Function{address, sysfs}
	if _, err := os.Stat(f.path("")); errors.Is(err, fs.ErrNotExist) {
		return Function{}, fmt.Errorf("%s: %w", address, ErrNoPCI)
	} else if err != nil {
		return Function{}, err
	}
	return f, nil
}

func (f Function) path(file string) string {
	return filepath.Join(f.sysfs, "bus/pci/devices", f.Address, file)
}

// Driver returns the name of the function's driver, or nothing if it has none.
func (f Function) Driver() string {
	target, err := os.Readlink(f.path("driver"))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

// VirtualFunctions returns the addresses of those that go when the driver lets go of
// this one.
func (f Function) VirtualFunctions() []string {
	links, _ := filepath.Glob(f.path("virtfn*")) // the pattern is good
	var all []string
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil {
			all = append(all, filepath.Base(target))
		}
	}
	return all
}

// unbind takes the function away from its driver. The kernel returns when the
// driver has let go.
func (f Function) unbind() error { return write(f.path("driver/unbind"), f.Address) }

// bind lets the kernel choose the driver (drivers/base/bus.c, drivers_probe).
func (f Function) bind() error {
	return write(filepath.Join(f.sysfs, "bus/pci/drivers_probe"), f.Address)
}
