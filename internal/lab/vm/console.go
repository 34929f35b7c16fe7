package vm

import (
	"bytes"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// console collects the guest's serial console. It may be used by several goroutines at once.
type console struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(p)
}

func (c *console) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.buf.Bytes())
}

func (c *console) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Len()
}

// saveTerminal returns a function that puts the terminal back as it is now: QEMU makes it raw, and a killed QEMU leaves it so.
func saveTerminal(used bool) (restore func()) {
	fd := int(os.Stdin.Fd())
	state, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if !used || err != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, state) }
}

// terminalSize returns 0, 0 where standard output is no terminal.
func terminalSize() (rows, cols uint16) {
	size, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return size.Row, size.Col
}
