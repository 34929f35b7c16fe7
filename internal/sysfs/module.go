package sysfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// ErrNoModule says that no module of that name is loaded.
var ErrNoModule = errors.New("no such module loaded")

// Module is a kernel module that is loaded, or built in.
type Module struct {
	Name string
	// References counts those who keep the module from being unloaded; unknown
	// for one that is built in.
	References rdma.Opt[int]
	// Holders are the modules that use its symbols, sorted.
	Holders []string
}

// Module reads /sys/module/NAME.
func (fs *FS) Module(name string) (Module, error) {
	if !isFileName(name) {
		return Module{}, fmt.Errorf("module %q: %w", name, ErrNoModule)
	}
	d, err := fs.openDir("module/" + name)
	if err != nil {
		return Module{}, fmt.Errorf("module %s: %w", name, orNoModule(err))
	}
	defer d.close()
	m := Module{Name: name}
	var buf [32]byte
	if text, err := d.read("refcnt", buf[:]); err == nil {
		if n, err := strconv.Atoi(string(text)); err == nil {
			m.References = rdma.Known(n)
		}
	}
	holders, err := d.sub("holders")
	if errors.Is(err, unix.ENOENT) {
		return m, nil
	}
	if err == nil {
		defer holders.close()
		m.Holders, err = holders.names()
	}
	if err != nil {
		return m, fmt.Errorf("module %s: list holders: %w", name, err)
	}
	slices.Sort(m.Holders)
	return m, nil
}

func orNoModule(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%w: %w", ErrNoModule, err)
	}
	return err
}

// ModuleNames tells whether a name that ends in suffix, and is longer, is among
// those of the module's types and functions, static ones included
// (/sys/kernel/btf/NAME, Linux 5.11 with CONFIG_DEBUG_INFO_BTF_MODULES). It
// returns [ErrNoModule] where the kernel keeps no such list of the module.
func (fs *FS) ModuleNames(module, suffix string) (bool, error) {
	if !isFileName(module) {
		return false, fmt.Errorf("types of module %q: %w", module, ErrNoModule)
	}
	text, err := fs.Whole("kernel/btf/" + module)
	if err != nil {
		return false, fmt.Errorf("types of module %s: %w", module, orNoModule(withoutPath(err)))
	}
	names, err := btfStrings(text)
	if err != nil {
		return false, fmt.Errorf("types of module %s: %w", module, err)
	}
	for name := range bytes.SplitSeq(names, []byte{0}) {
		if len(name) > len(suffix) && bytes.HasSuffix(name, []byte(suffix)) {
			return true, nil
		}
	}
	return false, nil
}

// btfStrings finds the string section (include/uapi/linux/btf.h, struct
// btf_header; the numbers are in the host's byte order).
func btfStrings(b []byte) ([]byte, error) {
	const magic, size = 0xeb9f, 24
	if len(b) < size || binary.NativeEndian.Uint16(b) != magic {
		return nil, errors.New("not BTF")
	}
	header := uint64(binary.NativeEndian.Uint32(b[4:]))
	start := header + uint64(binary.NativeEndian.Uint32(b[16:]))
	end := start + uint64(binary.NativeEndian.Uint32(b[20:]))
	if end > uint64(len(b)) {
		return nil, errors.New("BTF cut short")
	}
	return b[start:end], nil
}
