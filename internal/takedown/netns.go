package takedown

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/nldev"
)

// netnsDir is where ip-netns(8) keeps names.
const netnsDir = "/run/netns"

// ErrNotNetns says that a file is no network namespace.
var ErrNotNetns = errors.New("no network namespace")

// OpenNetns opens a network namespace: a path, the number of a process, or a
// name.
func OpenNetns(text string) (*os.File, error) {
	path := filepath.Join(netnsDir, text)
	switch {
	case strings.Contains(text, "/"):
		path = text
	case isNumber(text):
		path = filepath.Join("/proc", text, "ns/net")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("network namespace %q: %w", text, err)
	}
	if kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWNET {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrNotNetns)
	}
	return f, nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 31)
	return err == nil
}

// CheckMove tells beforehand whether the RDMA subsystem lets devices move.
func CheckMove(ctx context.Context) error {
	nl, err := nldev.Dial()
	if err != nil {
		return err
	}
	defer nl.Close() //nolint:errcheck // nothing was written
	system, err := nl.System(ctx)
	if errors.Is(err, nldev.ErrUnsupported) {
		return fmt.Errorf("move devices: %w: %w", err, unix.EOPNOTSUPP)
	}
	if mode, ok := system.NetnsMode.Get(); err == nil && ok && mode != nldev.NetnsExclusive {
		return fmt.Errorf("move devices: they are shared by all network namespaces; rdma system set netns exclusive changes that, while there are no others: %w", unix.EOPNOTSUPP)
	}
	return err
}
