package rdma

import (
	"fmt"
	"strconv"
	"strings"
)

// Protocol is the transport of a device as RDMA_NLDEV_ATTR_DEV_PROTOCOL names
// it: ib, opa, iw, roce or usnic. Empty means unknown.
type Protocol string

const (
	ProtocolIB    Protocol = "ib"
	ProtocolOPA   Protocol = "opa"
	ProtocolIWARP Protocol = "iw"
	ProtocolRoCE  Protocol = "roce"
	ProtocolUSNIC Protocol = "usnic"
)

// LinkLayer is a port's link layer in the words of its sysfs file
// (drivers/infiniband/core/sysfs.c, link_layer_show). Empty means unknown.
type LinkLayer string

const (
	LinkLayerInfiniBand LinkLayer = "InfiniBand"
	LinkLayerEthernet   LinkLayer = "Ethernet"
	// LinkLayerUnspecified is what the kernel prints for
	// IB_LINK_LAYER_UNSPECIFIED; EFA does.
	LinkLayerUnspecified LinkLayer = "Unknown"
)

// NodeType is enum rdma_node_type (include/rdma/ib_verbs.h).
type NodeType uint8

const (
	NodeCA          NodeType = 1
	NodeSwitch      NodeType = 2
	NodeRouter      NodeType = 3
	NodeRNIC        NodeType = 4
	NodeUSNIC       NodeType = 5
	NodeUSNICUDP    NodeType = 6
	NodeUnspecified NodeType = 7
)

var nodeTypeNames = enumNames[NodeType]{"node type", []string{
	"", "ca", "switch", "router", "rnic", "usnic", "usnic_udp", "unspecified",
}}

// PortState is enum ib_port_state (include/rdma/ib_verbs.h; IBTA 1.5, 14.2.5.6).
type PortState uint8

const (
	PortNop         PortState = 0
	PortDown        PortState = 1
	PortInit        PortState = 2
	PortArmed       PortState = 3
	PortActive      PortState = 4
	PortActiveDefer PortState = 5
)

var portStateNames = enumNames[PortState]{"port state", []string{
	"NOP", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER",
}}

// PhysState is enum ib_port_phys_state (include/rdma/ib_verbs.h; IBTA 1.5, 14.2.5.6).
type PhysState uint8

const (
	PhysSleep             PhysState = 1
	PhysPolling           PhysState = 2
	PhysDisabled          PhysState = 3
	PhysTraining          PhysState = 4
	PhysLinkUp            PhysState = 5
	PhysLinkErrorRecovery PhysState = 6
	PhysTest              PhysState = 7
	// PhysOPAOffline and PhysOPATest are Omni-Path's additions
	// (include/rdma/opa_port_info.h).
	PhysOPAOffline PhysState = 9
	PhysOPATest    PhysState = 11
)

var physStateNames = enumNames[PhysState]{"physical state", []string{
	"NOP", "SLEEP", "POLLING", "DISABLED", "ARMED", "LINK_UP", "LINK_ERROR_RECOVER", "PHY_TEST",
	"", "OPA_OFFLINE", "", "OPA_TEST",
}}

// enumNames gives a kernel enum its iproute2 names; the name of value v is names[v].
type enumNames[T ~uint8] struct {
	what  string
	names []string
}

// text returns the name; a value from a newer kernel shows as its number.
func (e enumNames[T]) text(v T) string {
	if int(v) < len(e.names) && e.names[v] != "" {
		return e.names[v]
	}
	return fmt.Sprintf("UNKNOWN(%d)", uint8(v))
}

func (e enumNames[T]) parse(text []byte) (T, error) {
	for i, name := range e.names {
		if name != "" && strings.EqualFold(name, string(text)) {
			return T(i), nil
		}
	}
	return e.parseUnknown(string(text))
}

// parseUnknown reads what text makes of a value without a name.
func (e enumNames[T]) parseUnknown(text string) (T, error) {
	digits, _ := strings.CutPrefix(text, "UNKNOWN(")
	digits, _ = strings.CutSuffix(digits, ")")
	v, err := strconv.ParseUint(digits, 10, 8)
	if err != nil || e.text(T(v)) != text {
		return 0, fmt.Errorf("parse %s %q: no such name", e.what, text)
	}
	return T(v), nil
}

// String returns the name iproute2 uses, for instance "ca".
func (t NodeType) String() string { return nodeTypeNames.text(t) }

// MarshalText implements encoding.TextMarshaler.
func (t NodeType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *NodeType) UnmarshalText(text []byte) (err error) {
	*t, err = nodeTypeNames.parse(text)
	return err
}

// String returns the name iproute2 uses, for instance "ACTIVE".
func (s PortState) String() string { return portStateNames.text(s) }

// MarshalText implements encoding.TextMarshaler.
func (s PortState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *PortState) UnmarshalText(text []byte) (err error) {
	*s, err = portStateNames.parse(text)
	return err
}

// String returns the name iproute2 uses, for instance "LINK_UP".
func (s PhysState) String() string { return physStateNames.text(s) }

// MarshalText implements encoding.TextMarshaler.
func (s PhysState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *PhysState) UnmarshalText(text []byte) (err error) {
	*s, err = physStateNames.parse(text)
	return err
}
