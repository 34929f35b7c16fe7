package nldev

// RDMA_NL_NLDEV, the client number in a message's type: (client << 10) + op.
const clientNLDev = 5

// enum rdma_nldev_command
const (
	cmdGet        = 1
	cmdSet        = 2
	cmdNewLink    = 3
	cmdDelLink    = 4
	cmdPortGet    = 5
	cmdSysGet     = 6
	cmdSysSet     = 7
	cmdGetCharDev = 15
	cmdStatSet    = 16
	cmdStatGet    = 17
	cmdStatDel    = 18
	cmdStatStatus = 24
	cmdNewDev     = 26
	cmdDelDev     = 27
	cmdMonitor    = 28
)

// enum rdma_nldev_attr; the comment is the payload.
const (
	attrDevIndex       = 1   // u32
	attrDevName        = 2   // string
	attrPortIndex      = 3   // u32; in a GET answer the number of the last port
	attrCapFlags       = 4   // u64; of a port: CapabilityMask | CapabilityMask2 << 32
	attrFWVersion      = 5   // string
	attrNodeGUID       = 6   // u64, host order
	attrSysImageGUID   = 7   // u64, host order
	attrSubnetPrefix   = 8   // u64, host order
	attrLID            = 9   // u32
	attrSMLID          = 10  // u32
	attrLMC            = 11  // u8
	attrPortState      = 12  // u8
	attrPortPhysState  = 13  // u8
	attrDevNodeType    = 14  // u8
	attrNetdevIndex    = 50  // u32
	attrNetdevName     = 51  // string
	attrLinkType       = 65  // string
	attrNetnsMode      = 66  // u8
	attrDevProtocol    = 67  // string
	attrNetnsFD        = 68  // u32
	attrCharDevType    = 69  // string
	attrCharDevName    = 70  // string
	attrCharDevABI     = 71  // u64
	attrCharDev        = 72  // u64
	attrUverbsDriverID = 73  // u32, though the header says u64
	attrDevDIM         = 84  // u8
	attrCopyOnFork     = 93  // u8
	attrPrivilegedQKey = 96  // u8
	attrDevType        = 99  // u8
	attrParentName     = 100 // string
	attrEventType      = 102 // u8
	attrMonitorMode    = 103 // u8
)

// groupNotify is RDMA_NL_GROUP_NOTIFY.
const groupNotify = 4

// deviceTypeSMI is RDMA_DEVICE_TYPE_SMI.
const deviceTypeSMI = 1

// opName is what errors call an operation.
func opName(op uint16) string {
	switch op {
	case cmdGet:
		return "GET"
	case cmdSet:
		return "SET"
	case cmdNewLink:
		return "NEWLINK"
	case cmdDelLink:
		return "DELLINK"
	case cmdPortGet:
		return "PORT_GET"
	case cmdSysGet:
		return "SYS_GET"
	case cmdSysSet:
		return "SYS_SET"
	case cmdNewDev:
		return "NEWDEV"
	case cmdResGet:
		return "RES_GET"
	case cmdResQPGet:
		return "RES_QP_GET"
	case cmdResCMIDGet:
		return "RES_CM_ID_GET"
	case cmdResCQGet:
		return "RES_CQ_GET"
	case cmdResMRGet:
		return "RES_MR_GET"
	case cmdResPDGet:
		return "RES_PD_GET"
	case cmdResCtxGet:
		return "RES_CTX_GET"
	case cmdResSRQGet:
		return "RES_SRQ_GET"
	case cmdResQPGetRaw:
		return "RES_QP_GET_RAW"
	case cmdResCQGetRaw:
		return "RES_CQ_GET_RAW"
	case cmdResMRGetRaw:
		return "RES_MR_GET_RAW"
	case cmdResSRQGetRaw:
		return "RES_SRQ_GET_RAW"
	case cmdGetCharDev:
		return "GET_CHARDEV"
	case cmdStatSet:
		return "STAT_SET"
	case cmdStatGet:
		return "STAT_GET"
	case cmdStatDel:
		return "STAT_DEL"
	case cmdStatStatus:
		return "STAT_GET_STATUS"
	case cmdDelDev:
		return "DELDEV"
	case cmdMonitor:
		return "MONITOR"
	}
	return "?"
}
