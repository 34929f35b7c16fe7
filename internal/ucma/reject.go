package ucma

import "fmt"

// RejectReason is why a remote connection manager rejected a request (IBTA
// 12.6.7.2; enum ib_cm_rej_reason in include/rdma/ib_cm.h).
type RejectReason uint32

// The reasons that a request without a real queue pair behind it may meet.
const (
	// RejectNoListener: nobody listens on that port.
	RejectNoListener RejectReason = 8
	// RejectStale: the remote has a connection, or a pending request, of this
	// device and QPN.
	RejectStale RejectReason = 10
	// RejectConsumer: the application that listens does not want this one.
	RejectConsumer RejectReason = 28
	// RejectVendor: it does not want this one for what it carries (ECE).
	RejectVendor RejectReason = 35
)

var rejectNames = map[RejectReason]string{
	1:                "no QP",
	2:                "no EEC",
	3:                "no resources",
	4:                "timeout",
	5:                "unsupported request",
	6:                "invalid communication id",
	7:                "invalid communication instance",
	RejectNoListener: "invalid service id",
	9:                "invalid transport type",
	RejectStale:      "stale connection",
	11:               "RDC does not exist",
	12:               "invalid GID",
	13:               "invalid LID",
	14:               "invalid SL",
	15:               "invalid traffic class",
	16:               "invalid hop limit",
	17:               "invalid packet rate",
	18:               "invalid alternate GID",
	19:               "invalid alternate LID",
	20:               "invalid alternate SL",
	21:               "invalid alternate traffic class",
	22:               "invalid alternate hop limit",
	23:               "invalid alternate packet rate",
	24:               "port and CM redirected",
	25:               "port redirected",
	26:               "invalid path MTU",
	27:               "insufficient responder resources",
	RejectConsumer:   "consumer reject",
	29:               "RNR retry count rejected",
	30:               "duplicate local communication id",
	31:               "invalid class version",
	32:               "invalid flow label",
	33:               "invalid alternate flow label",
	RejectVendor:     "vendor option not supported",
}

// String returns the specification's words, for instance "invalid service id".
func (r RejectReason) String() string {
	if name, ok := rejectNames[r]; ok {
		return name
	}
	return fmt.Sprintf("reason %d", uint32(r))
}
