package takedown

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/nldev"
)

// Kind is what the kernel is asked to do.
type Kind string

const (
	// AddLink makes a soft device: Name, Type, Netdev.
	AddLink Kind = "add_link"
	// DeleteLink removes a soft device: Index.
	DeleteLink Kind = "delete_link"
	// DeleteSubDevice removes a sub-device: Index.
	DeleteSubDevice Kind = "delete_subdevice"
	// Rename gives a device another name: Index, Name.
	Rename Kind = "rename"
	// Move moves a device to a network namespace: Index, Netns.
	Move Kind = "move"
	// Unbind takes a PCI function away from its driver: PCI. Netdev is what goes
	// with it, for people.
	Unbind Kind = "unbind_driver"
	// Bind gives a PCI function to the driver that wants it: PCI.
	Bind Kind = "bind_driver"
)

// Operation is something for the kernel to do. Which fields it has depends on its
// kind.
type Operation struct {
	Kind   Kind   `json:"kind"`
	Device string `json:"device"` // for people
	Index  uint32 `json:"index"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	Netdev string `json:"netdev"`
	PCI    string `json:"pci"`
	// Netns is the namespace's name, for people; the file is the namespace.
	Netns     string   `json:"netns"`
	NetnsFile *os.File `json:"-"`
}

// String says what is done, in the imperative: "delete link rxe0".
func (o Operation) String() string {
	switch o.Kind {
	case AddLink:
		return fmt.Sprintf("add link %s of type %s to %s", o.Name, o.Type, o.Netdev)
	case DeleteLink:
		return "delete link " + o.Device
	case DeleteSubDevice:
		return "delete sub-device " + o.Device
	case Rename:
		return fmt.Sprintf("rename %s to %s", o.Device, o.Name)
	case Move:
		return fmt.Sprintf("move %s to network namespace %s", o.Device, o.Netns)
	case Unbind:
		if o.Netdev != "" {
			return fmt.Sprintf("unbind the driver of %s, and with it the network interfaces %s", o.PCI, o.Netdev)
		}
		return "unbind the driver of " + o.PCI
	case Bind:
		return "bind a driver to " + o.PCI
	}
	return string(o.Kind)
}

// perform asks the kernel, and returns when it has answered. It is for the child.
func (o Operation) perform(ctx context.Context, sysfs string) error {
	if o.Kind == Unbind || o.Kind == Bind {
		f, err := findFunction(sysfs, o.PCI)
		switch {
		case err != nil:
			return err
		case o.Kind == Bind:
			return f.bind()
		}
		return f.unbind()
	}
	nl, err := nldev.Dial()
	if err != nil {
		return err
	}
	defer nl.Close() //nolint:errcheck // the answer is what counts
	switch o.Kind {
	case AddLink:
		return nl.AddLink(ctx, o.Name, o.Type, o.Netdev)
	case DeleteLink:
		return nl.DeleteLink(ctx, o.Index)
	case DeleteSubDevice:
		return nl.DeleteSubDevice(ctx, o.Index)
	case Rename:
		return nl.Rename(ctx, o.Index, o.Name)
	case Move:
		return nl.SetNetns(ctx, o.Index, int(o.NetnsFile.Fd()))
	}
	return fmt.Errorf("no operation %q: %w", o.Kind, unix.EINVAL)
}

// write hands the kernel a value in one write(2).
func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, bare(err))
	}
	return nil
}

// bare strips the path that os puts around an error.
func bare(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}
