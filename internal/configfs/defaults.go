package configfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// The files of a port.
const (
	fileRoCEMode = "default_roce_mode"
	fileTOS      = "default_roce_tos"
)

// RoCEMode returns the GID type that connections of the port use unless they say
// otherwise.
func (d *Device) RoCEMode(port uint32) (rdma.GIDType, error) {
	text, err := d.read(port, fileRoCEMode)
	if err != nil {
		return "", err
	}
	if text == "" {
		return "", d.fail(port, "read "+fileRoCEMode, errors.New("it is empty"))
	}
	return rdma.GIDType(text), nil
}

// SetRoCEMode sets it. ErrUnsupported means that the port has no such type, or
// that there is none by that name.
func (d *Device) SetRoCEMode(port uint32, mode rdma.GIDType) error {
	if mode == "" { // the kernel would take it and change nothing
		return d.fail(port, "write "+fileRoCEMode, fmt.Errorf("no mode given: %w", unix.EINVAL))
	}
	err := d.write(port, fileRoCEMode, string(mode))
	if errors.Is(err, unix.EINVAL) {
		return d.fail(port, fmt.Sprintf("set RoCE mode %q", string(mode)), fmt.Errorf("%w: %w", ErrUnsupported, unix.EINVAL))
	}
	return err
}

// TOS returns the type of service, which is the traffic class, of connections
// that set none.
func (d *Device) TOS(port uint32) (uint8, error) {
	text, err := d.read(port, fileTOS)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(text, 0, 8)
	if err != nil {
		return 0, d.fail(port, "read "+fileTOS, fmt.Errorf("%q is no type of service", text))
	}
	return uint8(v), nil
}

// SetTOS sets it.
func (d *Device) SetTOS(port uint32, tos uint8) error {
	return d.write(port, fileTOS, strconv.Itoa(int(tos)))
}

func (d *Device) path(port uint32, file string) string {
	return filepath.Join(d.dir, "ports", strconv.FormatUint(uint64(port), 10), file)
}

func (d *Device) fail(port uint32, op string, err error) error {
	return fmt.Errorf("connection manager defaults of %s/%d: %s: %w", d.name, port, op, err)
}

func (d *Device) read(port uint32, file string) (string, error) {
	text, err := os.ReadFile(d.path(port, file))
	if err != nil {
		return "", d.fail(port, "read "+file, meaning(err))
	}
	return strings.TrimSpace(string(text)), nil
}

// write hands the kernel the value in one write(2), which is one store.
func (d *Device) write(port uint32, file, value string) error {
	f, err := os.OpenFile(d.path(port, file), os.O_WRONLY|os.O_TRUNC, 0)
	if err == nil {
		_, err = f.WriteString(value + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return d.fail(port, "write "+file, meaning(err))
	}
	return nil
}
