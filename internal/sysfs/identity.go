package sysfs

import (
	"path"
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
)

// identity reads on which hardware a device lies, and which driver drives it.
// The class entry is a link through the hardware's directories:
// ../../devices/pci0000:00/0000:00:05.0/infiniband/mlx5_0.
func (r *reader) identity(d *rdma.Device) {
	link := r.fs.readlink(classInfiniband + "/" + d.Name)
	virtual := strings.Contains(link, "/devices/virtual/")
	if d.PCIAddress == "" {
		d.PCIAddress = pciAddress(link)
	}
	if !virtual {
		r.parent(d)
	}
	if d.Driver == "" && (virtual || link == "") {
		d.Driver = r.softDriver()
	}
}

// parent reads what the hardware's own directory says. In a copied tree it may
// be a link that leads to nothing, whose text is worth something even so, or
// a directory where the link to the driver is lost.
func (r *reader) parent(d *rdma.Device) {
	if d.PCIAddress == "" {
		d.PCIAddress = pciAddress(r.dir.readlink("device"))
	}
	parent, err := r.fs.openDir(classInfiniband + "/" + d.Name + "/device")
	if err != nil {
		return // some devices have none (scif0)
	}
	defer parent.close()
	pr := reader{fs: r.fs, dir: parent, warnings: warnings{object: d.Name}}
	if d.Driver == "" {
		d.Driver = baseName(parent.readlink("driver"))
	}
	if d.Driver == "" || d.PCIAddress == "" {
		pr.uevent(d)
	}
	pr.numaNode(d)
	r.list = append(r.list, pr.list...)
}

// uevent reads lines such as DRIVER=mlx5_core and PCI_SLOT_NAME=0000:05:00.0.
func (r *reader) uevent(d *rdma.Device) {
	text, _ := r.file("uevent")
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case key == "DRIVER" && d.Driver == "":
			d.Driver = value
		case key == "PCI_SLOT_NAME" && d.PCIAddress == "" && isPCIAddress(value):
			d.PCIAddress = value
		}
	}
}

// numaNode takes -1 for what it says: the firmware did not tell.
func (r *reader) numaNode(d *rdma.Device) {
	if d.NUMANode.IsKnown() {
		return
	}
	text, ok := r.file("numa_node")
	if !ok || string(text) == "-1" {
		return
	}
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		r.add("read numa_node", nonsense(text))
		return
	}
	d.NUMANode = rdma.Known(int(n))
}

// softDriver knows soft RoCE by the file that it alone among virtual devices
// has (rxe_verbs.c, parent_show): the name of the netdev it was made on. The
// answer is the type that `rdma link add` calls it by.
func (r *reader) softDriver() string {
	if r.dir.exists("device") || !r.dir.exists("parent") {
		return ""
	}
	return "rxe"
}

// baseName is path.Base, but nothing of nothing.
func baseName(link string) string {
	if link == "" {
		return ""
	}
	return path.Base(link)
}

// pciAddress finds the PCI function that a device's path leads through last. A
// sub-function (mlx5_core.sf.4) lies below the function that it is of.
func pciAddress(link string) string {
	address := ""
	for part := range strings.SplitSeq(link, "/") {
		if isPCIAddress(part) {
			address = part
		}
	}
	return address
}

// isPCIAddress tells whether s is DOMAIN:BUS:DEVICE.FUNCTION as the kernel
// prints it; domains of VMD have more than four digits.
func isPCIAddress(s string) bool {
	bus, fn, ok := strings.Cut(s, ".")
	parts := strings.Split(bus, ":")
	return ok && len(parts) == 3 && len(parts[0]) >= 4 && len(parts[1]) == 2 && len(parts[2]) == 2 && len(fn) == 1 &&
		isHex(parts[0]) && isHex(parts[1]) && isHex(parts[2]) && isHex(fn)
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
