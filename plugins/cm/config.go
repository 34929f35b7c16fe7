package cm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
)

// Config is the client's part of ibctl's configuration, as JSON.
type Config struct {
	// Root is a captured sysfs tree to read counters from instead of this host's.
	Root string `json:"root,omitempty"`
	// Defaults are put back whenever a device is added: the kernel forgets them
	// when it unregisters the device. Of two entries that fit, the later one wins.
	Defaults []DeviceDefaults `json:"defaults,omitempty"`
}

// DeviceDefaults are the defaults of some devices' ports.
type DeviceDefaults struct {
	// Device is a device's name, node GUID, PCI address, or a pattern for its name
	// such as mlx5_*.
	Device string `json:"device"`
	// Port is the one meant; unknown for all.
	Port rdma.Opt[uint32] `json:"port,omitzero"`
	Defaults
}

// Defaults are what connections of a port use unless they say otherwise; what is
// not set is left as it is.
type Defaults struct {
	RoCEMode rdma.GIDType  `json:"roce_mode,omitzero"`
	TOS      rdma.Opt[TOS] `json:"tos,omitzero"`
}

// parseConfig reads the configuration and refuses what it does not know.
func parseConfig(text []byte) (Config, error) {
	var conf Config
	if len(text) == 0 {
		return conf, nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&conf); err != nil {
		return conf, fmt.Errorf("read configuration: %w", err)
	}
	for i := range conf.Defaults {
		if err := conf.Defaults[i].check(); err != nil {
			return conf, fmt.Errorf("read configuration: defaults of %q: %w", conf.Defaults[i].Device, err)
		}
	}
	return conf, nil
}

// check also turns v1 and v2 into the kernel's words.
func (e *DeviceDefaults) check() (err error) {
	if e.Device == "" {
		return errors.New("no device is named")
	}
	if _, err := path.Match(e.Device, ""); err != nil {
		return err
	}
	if e.RoCEMode == "" && !e.TOS.IsKnown() {
		return errors.New("neither roce_mode nor tos is set")
	}
	if e.RoCEMode != "" {
		e.RoCEMode, err = ParseMode(string(e.RoCEMode))
	}
	return err
}

// fits tells whether the entry is about a port of the device.
func (e DeviceDefaults) fits(d rdma.Device, port uint32) bool {
	if e.Port.Or(port) != port {
		return false
	}
	if e.Device == d.Name || e.Device == d.PCIAddress {
		return true
	}
	if guid, err := rdma.ParseGUID(e.Device); err == nil {
		own, known := d.NodeGUID.Get()
		return known && own == guid
	}
	matched, _ := path.Match(e.Device, d.Name) // check has seen the pattern
	return matched
}

// defaultsFor merges the entries that fit the port.
func (c Config) defaultsFor(d rdma.Device, port uint32) Defaults {
	var merged Defaults
	for _, entry := range c.Defaults {
		if !entry.fits(d, port) {
			continue
		}
		if entry.RoCEMode != "" {
			merged.RoCEMode = entry.RoCEMode
		}
		merged.TOS = entry.TOS.Else(merged.TOS)
	}
	return merged
}

// wanted returns the defaults of a device's ports. InfiniBand ports have none.
func (c Config) wanted(d rdma.Device) map[uint32]Defaults {
	wanted := map[uint32]Defaults{}
	for _, p := range d.Ports {
		want := c.defaultsFor(d, p.Number)
		if want != (Defaults{}) && p.LinkLayer != rdma.LinkLayerInfiniBand {
			wanted[p.Number] = want
		}
	}
	return wanted
}

// apply sets the defaults of the ports of the device that has the name now, as far
// as it can.
func apply(tree configfs.Tree, name string, wanted map[uint32]Defaults) (err error) {
	if len(wanted) == 0 {
		return nil
	}
	dir, err := tree.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	for port, want := range wanted {
		err = errors.Join(err, want.set(dir, port))
	}
	return err
}

// set sets what is given.
func (want Defaults) set(d *configfs.Device, port uint32) error {
	var errs []error
	if want.RoCEMode != "" {
		errs = append(errs, d.SetRoCEMode(port, want.RoCEMode))
	}
	if tos, ok := want.TOS.Get(); ok {
		errs = append(errs, d.SetTOS(port, uint8(tos)))
	}
	return errors.Join(errs...)
}

// modeNames are the short words for RoCE modes, beside the kernel's own texts.
var modeNames = map[string]rdma.GIDType{"v1": rdma.GIDTypeIBOrRoCEv1, "v2": rdma.GIDTypeRoCEv2}

// ParseMode reads a RoCE mode: v1, v2, or the kernel's text for it.
func ParseMode(text string) (rdma.GIDType, error) {
	if mode, ok := modeNames[text]; ok {
		return mode, nil
	}
	kernels := []rdma.GIDType{rdma.GIDTypeIBOrRoCEv1, rdma.GIDTypeRoCEv2}
	if slices.Contains(kernels, rdma.GIDType(text)) {
		return rdma.GIDType(text), nil
	}
	return "", fmt.Errorf("%q is no RoCE mode: want v1 or v2", text)
}

// UnmarshalJSON reads a number, or a text as [ParseTOS] does.
func (t *TOS) UnmarshalJSON(data []byte) error {
	text := string(data)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	v, err := ParseTOS(text)
	if err != nil {
		return err
	}
	*t = v
	return nil
}
