package rdma

import (
	"slices"
	"testing"
)

func TestPortCapabilities(t *testing.T) {
	for mask, want := range map[uint32][]string{
		0:           nil,
		0x0001_0000: {"CM"}, // soft RoCE
		// A ConnectX-4 in an InfiniBand fabric.
		0x2651_e848: {"TRAP", "SL_MAP", "SYS_IMAGE_GUID", "BIT13", "EXTENDED_SPEEDS", "CAP_MASK2", "CM", "VENDOR_CLASS",
			"CAP_MASK_NOTICE", "CLIENT_REG", "OTHER_LOCAL_CHANGES", "MCAST_PKEY_TRAP_SUPPRESSION"},
		1 << 31: {"HIERARCHY_INFO"},
	} {
		if got := PortCapabilities(mask); !slices.Equal(got, want) {
			t.Errorf("%#x: %v, want %v", mask, got, want)
		}
	}
	if got, want := PortCapabilities2(1<<2|1<<4|1<<5|1<<9|1<<10), []string{"VIRT", "LINK_WIDTH_2X", "LINK_SPEED_HDR", "MASK2_BIT9", "LINK_SPEED_NDR"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
