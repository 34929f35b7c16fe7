package rdma

// Device is all that ibctl knows of one device at one moment. A reader fills
// what its kernel interface has; [internal/host] puts the parts together.
type Device struct {
	// Index is the kernel's index (RDMA_NLDEV_ATTR_DEV_INDEX). It stays the
	// same over a rename or a move between namespaces. Unknown where there is
	// no nldev, as in a captured sysfs tree.
	Index        Opt[uint32]   `json:"index,omitzero"`
	Name         string        `json:"name"`
	NodeType     Opt[NodeType] `json:"node_type,omitzero"`
	Protocol     Protocol      `json:"protocol,omitzero"`
	Firmware     string        `json:"fw,omitzero"`
	NodeGUID     Opt[GUID]     `json:"node_guid,omitzero"`
	SysImageGUID Opt[GUID]     `json:"sys_image_guid,omitzero"`
	// NodeDesc is text that others on the fabric can set: escape it before it
	// reaches a terminal.
	NodeDesc   string   `json:"node_desc,omitzero"`
	HCAType    string   `json:"hca_type,omitzero"`
	BoardID    string   `json:"board_id,omitzero"`
	HWRev      string   `json:"hw_rev,omitzero"`
	PCIAddress string   `json:"pci_address,omitzero"`
	NUMANode   Opt[int] `json:"numa_node,omitzero"`
	Driver     string   `json:"driver,omitzero"`
	// CharDevs are paths under /dev/infiniband, sorted.
	CharDevs []string `json:"char_devs,omitempty"`
	// Parent and Type are set for sub-devices (RDMA_NLDEV_ATTR_PARENT_NAME,
	// RDMA_NLDEV_ATTR_DEV_TYPE), for instance "smi".
	Parent string `json:"parent,omitzero"`
	Type   string `json:"type,omitzero"`
	// AdaptiveModeration tells whether new completion queues moderate their
	// interrupts by load (RDMA_NLDEV_ATTR_DEV_DIM). Drivers may not know how,
	// whatever it says.
	AdaptiveModeration Opt[bool] `json:"adaptive_moderation,omitzero"`
	// Capabilities are the device's (RDMA_NLDEV_ATTR_CAP_FLAGS), by name; see
	// [DeviceCapabilities].
	Capabilities []string `json:"capabilities,omitempty"`
	Ports        []Port   `json:"ports"`
}

// Port is one port of a device.
type Port struct {
	Number    uint32         `json:"port"`
	State     Opt[PortState] `json:"state,omitzero"`
	PhysState Opt[PhysState] `json:"physical_state,omitzero"`
	LinkLayer LinkLayer      `json:"link_layer,omitzero"`
	// RateGbps is the signalling rate in Gb/s as the kernel's rate file gives
	// it: 2.5, 14, 100.
	RateGbps Opt[float64] `json:"rate_gbps,omitzero"`
	// Width and Speed are the kernel's texts: "4X", "EDR".
	Width string `json:"width,omitzero"`
	Speed string `json:"speed,omitzero"`
	// LID, SMLID, LMC and SubnetPrefix belong to InfiniBand and OPA ports.
	LID          Opt[uint32] `json:"lid,omitzero"`
	SMLID        Opt[uint32] `json:"sm_lid,omitzero"`
	LMC          Opt[uint32] `json:"lmc,omitzero"`
	SubnetPrefix Opt[GUID]   `json:"subnet_prefix,omitzero"`
	// ActiveMTU and MaxMTU are IB path MTUs in octets, not netdev MTUs.
	ActiveMTU Opt[uint32] `json:"active_mtu,omitzero"`
	MaxMTU    Opt[uint32] `json:"max_mtu,omitzero"`
	// CapMask is the 32-bit PortInfo CapabilityMask.
	CapMask     Opt[uint32] `json:"cap_mask,omitzero"`
	Netdev      string      `json:"netdev,omitzero"`
	NetdevIndex Opt[uint32] `json:"netdev_index,omitzero"`
}
