package depot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The oldest iproute2 whose rdma(8) has monitor, protocol and parent.
const rdmaMajor, rdmaMinor = 6, 15

// RDMA returns the file name of an rdma(8) from iproute2 6.15 or later: the machine's own if it will do, or else that of the
// backports for the machine's release, whose C library it fits.
func (d *Depot) RDMA(ctx context.Context) (string, error) {
	own, err := exec.LookPath("rdma")
	if err == nil && isNewRDMA(ctx, own) {
		return own, nil
	}
	root := filepath.Join(d.dir, "tools", "iproute2")
	name, err := findRDMA(root)
	if err == nil {
		return name, nil
	}
	release, err := codename()
	if err != nil {
		return "", fmt.Errorf("lab: newer rdma: %w", err)
	}
	err = d.fill(ctx, root, func(tmp string) error {
		return d.eachSuite(ctx, []string{release + "-backports"}, func(a *apt) error {
			return a.unpack(ctx, []string{"iproute2"}, tmp)
		})
	})
	if err != nil {
		return "", fmt.Errorf("lab: newer rdma: %w", err)
	}
	if name, err = findRDMA(root); err == nil && !isNewRDMA(ctx, name) {
		err = fmt.Errorf("lab: %s is older than iproute2 %d.%d, or does not run here", name, rdmaMajor, rdmaMinor)
	}
	return name, err
}

func findRDMA(root string) (string, error) {
	for _, dir := range []string{"bin", "sbin", "usr/bin", "usr/sbin"} {
		name := filepath.Join(root, dir, "rdma")
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
			return name, nil
		}
	}
	return "", fmt.Errorf("lab: no rdma in %s: %w", root, os.ErrNotExist)
}

func isNewRDMA(ctx context.Context, name string) bool {
	out, err := command(ctx, name, "-V").Output()
	return err == nil && newEnough(string(out))
}

var iproute2Version = regexp.MustCompile(`iproute2-(\d+)\.(\d+)`)

// newEnough reads what "rdma -V" prints: "rdma utility, iproute2-6.15.0".
func newEnough(text string) bool {
	m := iproute2Version.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	major, _ := strconv.Atoi(m[1]) // the expression has only digits there
	minor, _ := strconv.Atoi(m[2])
	return major > rdmaMajor || major == rdmaMajor && minor >= rdmaMinor
}

// codename returns the name of the machine's Debian release.
func codename() (string, error) {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "VERSION_CODENAME="); ok {
			return strings.Trim(strings.TrimSpace(name), `"`), nil
		}
	}
	return "", errors.New("/etc/os-release names no VERSION_CODENAME")
}
