package host

import (
	"context"

	"github.com/ibctl/ibctl/core/rdma"
)

// PortDetails is what there is to know of a port beyond [rdma.Port].
type PortDetails struct {
	PortGUID rdma.Opt[rdma.GUID] `json:"port_guid,omitzero"`
	// SMSL is the service level of the subnet manager; of ports with LIDs alone.
	SMSL rdma.Opt[uint32] `json:"sm_sl,omitzero"`
	// CapMask2 is PortInfo's CapabilityMask2, and Capabilities the names of the
	// bits of both masks.
	CapMask2     rdma.Opt[uint32] `json:"cap_mask2,omitzero"`
	Capabilities []string         `json:"capabilities,omitempty"`
	// PKeys are the slots of the partition table that are in use.
	PKeys         []PKey           `json:"pkeys,omitempty"`
	PKeyTableSize rdma.Opt[uint32] `json:"pkey_table_size,omitzero"`
	GIDTableSize  rdma.Opt[uint32] `json:"gid_table_size,omitzero"`
}

// PKey is a slot of a partition table (IBTA 10.9.1).
type PKey struct {
	Index uint32 `json:"index"`
	// PKey is the slot's value, its uppermost bit included.
	PKey uint16 `json:"pkey"`
	// Full tells whether the port is a full member of the partition.
	Full bool `json:"full"`
}

// fullMember is the uppermost bit of a partition key.
const fullMember = 1 << 15

// PortDetails reads them of one of the devices that h has found. The partition
// table is read only if pkeys is set: on InfiniBand each slot may be a question to
// the firmware.
func (h *Host) PortDetails(ctx context.Context, d rdma.Device, p rdma.Port, pkeys bool) (PortDetails, []rdma.Warning, error) {
	read, warnings, err := h.fs.PortDetails(d.Name, p.Number, pkeys)
	if err != nil {
		return PortDetails{}, nil, err
	}
	out := PortDetails{PortGUID: read.PortGUID, PKeyTableSize: read.PKeyTableSize, GIDTableSize: read.GIDTableSize}
	if p.LID.IsKnown() {
		out.SMSL = read.SMSL // elsewhere the file says 0, which means nothing
	}
	for _, k := range read.PKeys {
		out.PKeys = append(out.PKeys, PKey{k.Index, k.Value, k.Value&fullMember != 0})
	}
	if out.CapMask2, err = h.capMask2(ctx, d, p); err != nil {
		warnings = append(warnings, rdma.Warning{Object: portName(&d, &p), Op: "read CapabilityMask2", Err: err})
	}
	if mask, ok := p.CapMask.Get(); ok {
		out.Capabilities = append(rdma.PortCapabilities(mask), rdma.PortCapabilities2(out.CapMask2.Or(0))...)
	}
	return out, warnings, nil
}

// capMask2 asks nldev, which tells it of InfiniBand and OPA.
func (h *Host) capMask2(ctx context.Context, d rdma.Device, p rdma.Port) (rdma.Opt[uint32], error) {
	index, ok := d.Index.Get()
	nl := h.netlink()
	if !ok || nl == nil || d.Protocol != rdma.ProtocolIB && d.Protocol != rdma.ProtocolOPA {
		return rdma.Opt[uint32]{}, nil
	}
	return nl.PortCapMask2(ctx, index, p.Number)
}
