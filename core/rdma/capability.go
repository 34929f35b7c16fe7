package rdma

import "fmt"

// portCapabilities are the bits of CapabilityMask, from bit 0 (IBTA 14.2.5.6; the
// names are those of include/rdma/ib_verbs.h without IB_PORT_ and _SUP).
var portCapabilities = [32]string{
	1: "SM", 2: "NOTICE", 3: "TRAP", 4: "OPT_IPD", 5: "AUTO_MIGR", 6: "SL_MAP", 7: "MKEY_NVRAM", 8: "PKEY_NVRAM", 9: "LED_INFO",
	10: "SM_DISABLED", 11: "SYS_IMAGE_GUID", 12: "PKEY_SW_EXT_PORT_TRAP", 14: "EXTENDED_SPEEDS", 15: "CAP_MASK2", 16: "CM",
	17: "SNMP_TUNNEL", 18: "REINIT", 19: "DEVICE_MGMT", 20: "VENDOR_CLASS", 21: "DR_NOTICE", 22: "CAP_MASK_NOTICE", 23: "BOOT_MGMT",
	24: "LINK_LATENCY", 25: "CLIENT_REG", 26: "OTHER_LOCAL_CHANGES", 27: "LINK_SPEED_WIDTH_TABLE", 28: "VENDOR_SPECIFIC_MADS_TABLE",
	29: "MCAST_PKEY_TRAP_SUPPRESSION", 30: "MCAST_FDB_TOP", 31: "HIERARCHY_INFO",
}

// portCapabilities2 are the bits of CapabilityMask2.
var portCapabilities2 = [32]string{
	0: "SET_NODE_DESC", 1: "EX_PORT_INFO", 2: "VIRT", 3: "SWITCH_PORT_STATE_TABLE", 4: "LINK_WIDTH_2X", 5: "LINK_SPEED_HDR",
	10: "LINK_SPEED_NDR", 11: "EXTENDED_SPEEDS2", 12: "LINK_SPEED_XDR",
}

// PortCapabilities names the bits of a port's CapabilityMask, lowest first. A bit
// without a name is BIT13.
func PortCapabilities(mask uint32) []string {
	return bitNames(uint64(mask), portCapabilities[:], "BIT")
}

// PortCapabilities2 names the bits of a port's CapabilityMask2. One without a name
// is MASK2_BIT13.
func PortCapabilities2(mask uint32) []string {
	return bitNames(uint64(mask), portCapabilities2[:], "MASK2_BIT")
}

// deviceCapabilities are the bits of device_cap_flags, from bit 0 (enum
// ib_uverbs_device_cap_flags in include/uapi/rdma/ib_user_verbs.h and what the
// kernel has dropped since, without IB_UVERBS_DEVICE_).
var deviceCapabilities = [64]string{
	0: "RESIZE_MAX_WR", 1: "BAD_PKEY_CNTR", 2: "BAD_QKEY_CNTR", 3: "RAW_MULTI", 4: "AUTO_PATH_MIG", 5: "CHANGE_PHY_PORT",
	6: "UD_AV_PORT_ENFORCE", 7: "CURR_QP_STATE_MOD", 8: "SHUTDOWN_PORT", 9: "INIT_TYPE", 10: "PORT_ACTIVE_EVENT",
	11: "SYS_IMAGE_GUID", 12: "RC_RNR_NAK_GEN", 13: "SRQ_RESIZE", 14: "N_NOTIFY_CQ", 15: "LOCAL_DMA_LKEY", 17: "MEM_WINDOW",
	18: "UD_IP_CSUM", 19: "UD_TSO", 20: "XRC", 21: "MEM_MGT_EXTENSIONS", 22: "BLOCK_MULTICAST_LOOPBACK", 23: "MEM_WINDOW_TYPE_2A",
	24: "MEM_WINDOW_TYPE_2B", 25: "RC_IP_CSUM", 26: "RAW_IP_CSUM", 27: "CROSS_CHANNEL", 29: "MANAGED_FLOW_STEERING",
	30: "SIGNATURE_HANDOVER", 31: "ON_DEMAND_PAGING", 32: "SG_GAPS_REG", 33: "VIRTUAL_FUNCTION", 34: "RAW_SCATTER_FCS",
	35: "RDMA_NETDEV_OPA", 36: "PCI_WRITE_END_PADDING", 38: "FLUSH_GLOBAL", 39: "FLUSH_PERSISTENT", 40: "ATOMIC_WRITE",
}

// DeviceCapabilities names the bits of a device's capability flags, lowest first. A
// bit without a name is BIT28.
func DeviceCapabilities(flags uint64) []string { return bitNames(flags, deviceCapabilities[:], "BIT") }

func bitNames(mask uint64, names []string, unnamed string) []string {
	var all []string
	for bit, name := range names {
		switch {
		case mask&(1<<bit) == 0:
		case name == "":
			all = append(all, fmt.Sprintf("%s%d", unnamed, bit))
		default:
			all = append(all, name)
		}
	}
	return all
}
