package sysfs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// ports reads every port, those that d does not list yet too.
func (r *reader) ports(d *rdma.Device) {
	dir, err := r.dir.sub("ports")
	if err != nil {
		r.portsMissing(err)
		return
	}
	defer dir.close()
	names, err := dir.names()
	if err != nil {
		r.add("list ports", err)
	}
	for _, name := range names {
		number, ok := portNumber(name)
		if !ok {
			r.add("list ports", nonsense([]byte(name)))
			continue
		}
		r.port(dir, d, portAt(d, number))
	}
	slices.SortFunc(d.Ports, func(a, b rdma.Port) int { return cmp.Compare(a.Number, b.Number) })
}

func (r *reader) portsMissing(err error) {
	r.suspicious = true
	if !errors.Is(err, unix.ENOENT) {
		r.add("list ports", err)
	}
}

// portNumber reads the name of a port's directory: a number without leading zeros.
func portNumber(name string) (uint32, bool) {
	n, err := strconv.ParseUint(name, 10, 32)
	return uint32(n), err == nil && strconv.FormatUint(n, 10) == name
}

// portAt returns the port of that number, which it appends if it isn't there.
func portAt(d *rdma.Device, number uint32) *rdma.Port {
	for i := range d.Ports {
		if d.Ports[i].Number == number {
			return &d.Ports[i]
		}
	}
	d.Ports = append(d.Ports, rdma.Port{Number: number})
	return &d.Ports[len(d.Ports)-1]
}

func (r *reader) port(parent dir, d *rdma.Device, p *rdma.Port) {
	object := fmt.Sprintf("%s/%d", d.Name, p.Number)
	dir, err := parent.sub(strconv.FormatUint(uint64(p.Number), 10))
	if err != nil {
		r.suspicious = true
		r.list = append(r.list, rdma.Warning{Object: object, Op: "open port", Err: err})
		return
	}
	defer dir.close()
	pr := reader{fs: r.fs, dir: dir, detail: r.detail, warnings: warnings{object: object}}
	pr.portFiles(d, p)
	r.list = append(r.list, pr.list...)
	r.suspicious = r.suspicious || pr.suspicious
}

func (r *reader) portFiles(d *rdma.Device, p *rdma.Port) {
	r.linkLayer(p)
	readOpt(r, &p.State, "state", parsePortState)
	readOpt(r, &p.PhysState, "phys_state", parsePhysState)
	r.rate(p)
	if hasLIDs(d, p) {
		readOpt(r, &p.LID, "lid", parseHex)
		readOpt(r, &p.SMLID, "sm_lid", parseHex)
		readOpt(r, &p.LMC, "lid_mask_count", parseLMC)
	}
	if r.detail >= Full {
		readOpt(r, &p.CapMask, "cap_mask", parseHex)
	}
}

// hasLIDs tells whether a LID can mean anything: RoCE and iWARP ports have the
// files all the same. i40iw calls its link layer InfiniBand though it is iWARP.
func hasLIDs(d *rdma.Device, p *rdma.Port) bool {
	switch d.NodeType.Or(rdma.NodeCA) {
	case rdma.NodeRNIC, rdma.NodeUSNIC, rdma.NodeUSNICUDP:
		return false
	}
	return p.LinkLayer == rdma.LinkLayerInfiniBand
}

// linkLayer reads a file that kernels before 2.6.37 lack.
func (r *reader) linkLayer(p *rdma.Port) {
	if p.LinkLayer != "" {
		return
	}
	text, ok := r.file("link_layer")
	if !ok {
		return
	}
	l, err := parseLinkLayer(text)
	if err != nil {
		r.add("read link_layer", err)
		return
	}
	p.LinkLayer = l
}

// rate reads three facts from one file.
func (r *reader) rate(p *rdma.Port) {
	if p.RateGbps.IsKnown() {
		return
	}
	var v rdma.Opt[rate]
	readOpt(r, &v, "rate", parseRate)
	if v, ok := v.Get(); ok {
		p.RateGbps, p.Width, p.Speed = rdma.Known(v.gbps), v.width, v.speed
	}
}
