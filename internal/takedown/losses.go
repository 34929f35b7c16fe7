package takedown

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
	"github.com/ibctl/ibctl/internal/nldev"
)

// lostDir is where settings wait for a PCI function to be bound again.
const lostDir = "/run/ibctl/lost"

// Losses are the settings that an operation makes the kernel forget.
type Losses struct {
	devices []rdma.Device
	// netns is where the device will be; pci what it will be back with.
	netns *os.File
	pci   string
	dir   string

	saved []Settings
}

// LostByMove are those of a device that is moved to a network namespace, where
// they are set again.
func LostByMove(d rdma.Device, netns *os.File) *Losses {
	return &Losses{devices: []rdma.Device{d}, netns: netns}
}

// LostByUnbind are those of the devices of a PCI function, which [PutBackFound]
// sets again when it is bound.
func LostByUnbind(devices []rdma.Device, pci string) *Losses {
	return &Losses{devices: devices, pci: pci, dir: lostDir}
}

// String says what becomes of them.
func (l *Losses) String() string {
	what := "the connection manager's defaults, adaptive moderation and optional counters"
	if l.pci != "" {
		return "remember " + what + ", for ibctl dev bind " + l.pci
	}
	return "set " + what + " as they were"
}

// remember reads the settings before they are lost.
func (l *Losses) remember(ctx context.Context) (warnings []rdma.Warning) {
	nl, err := nldev.Dial()
	if err != nil {
		return []rdma.Warning{{Object: l.devices[0].Name, Op: "read settings", Err: err}}
	}
	defer nl.Close() //nolint:errcheck // nothing was written
	for _, d := range l.devices {
		k := keeper{kernel: nl, defaults: configfs.New(configfs.DefaultRoot), device: d}
		l.saved = append(l.saved, k.read(ctx))
		warnings = append(warnings, k.warnings...)
	}
	return warnings
}

// putBack sets them again, or keeps them for when that can be done. It returns
// what it has done.
func (l *Losses) putBack(ctx context.Context) (done []string, warnings []rdma.Warning) {
	if l.pci != "" {
		if err := l.keep(); err != nil {
			return nil, []rdma.Warning{{Object: l.pci, Op: "remember settings", Err: err}}
		}
		return []string{"settings are remembered for ibctl dev bind " + l.pci}, nil
	}
	for i, d := range l.devices {
		if i >= len(l.saved) {
			break
		}
		more, warned := setThere(ctx, l.netns, d, l.saved[i])
		done, warnings = append(done, more...), append(warnings, warned...)
	}
	return done, warnings
}

// keep writes them down.
func (l *Losses) keep() error {
	text, err := json.Marshal(l.saved)
	if err == nil {
		err = os.MkdirAll(l.dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(l.dir, l.pci), text, 0o600)
	}
	return err
}

// PutBackFound sets again what was lost when the PCI function was unbound, for
// those of the devices that are found under the same node GUID, and forgets it.
func PutBackFound(ctx context.Context, pci string, devices []rdma.Device) (done []string, warnings []rdma.Warning) {
	path := filepath.Join(lostDir, pci)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var saved []Settings
	if err == nil {
		err = json.Unmarshal(text, &saved)
	}
	if err != nil {
		return nil, []rdma.Warning{{Object: pci, Op: "read the settings that were lost", Err: err}}
	}
	for _, s := range saved {
		for _, d := range devices {
			if d.PCIAddress == pci && d.NodeGUID == s.NodeGUID {
				more, warned := setThere(ctx, nil, d, s)
				done, warnings = append(done, more...), append(warnings, warned...)
			}
		}
	}
	_ = os.Remove(path)
	return done, warnings
}

// setThere sets settings of a device that is in a network namespace, or in this
// one.
func setThere(ctx context.Context, netns *os.File, d rdma.Device, s Settings) (done []string, warnings []rdma.Warning) {
	nl, err := dialIn(netns)
	if err != nil {
		return nil, []rdma.Warning{{Object: d.Name, Op: "set its settings again", Err: err}}
	}
	defer nl.Close() //nolint:errcheck // answers have told
	k := keeper{kernel: nl, defaults: configfs.New(configfs.DefaultRoot), device: d}
	k.set(ctx, s)
	return k.done, k.warnings
}

// dialIn opens nldev in a network namespace. A thread that has entered one is not
// used for anything else again.
func dialIn(netns *os.File) (nl *nldev.Conn, err error) {
	if netns == nil {
		return nldev.Dial()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err = unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
			err = fmt.Errorf("enter the network namespace: %w", err)
			return
		}
		nl, err = nldev.Dial()
	}()
	<-done
	return nl, err
}
