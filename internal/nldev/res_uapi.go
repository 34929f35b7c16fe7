package nldev

// enum rdma_nldev_command
const (
	cmdResGet       = 9
	cmdResQPGet     = 10
	cmdResCMIDGet   = 11
	cmdResCQGet     = 12
	cmdResMRGet     = 13
	cmdResPDGet     = 14
	cmdResQPGetRaw  = 19
	cmdResCQGetRaw  = 20
	cmdResMRGetRaw  = 21
	cmdResCtxGet    = 22
	cmdResSRQGet    = 23
	cmdResSRQGetRaw = 25
)

// enum rdma_nldev_attr; the comment is the payload.
const (
	attrResSummary      = 15  // nested: entries of type 16
	attrResSummaryName  = 17  // string
	attrResSummaryCurr  = 18  // u64
	attrResQP           = 19  // nested: entries of type 20
	attrResLQPN         = 21  // u32
	attrResRQPN         = 22  // u32
	attrResRQPSN        = 23  // u32
	attrResSQPSN        = 24  // u32
	attrResPathMig      = 25  // u8, enum ib_mig_state
	attrResType         = 26  // u8, enum ib_qp_type
	attrResState        = 27  // u8, enum ib_qp_state or rdma_cm_state
	attrResPID          = 28  // u32
	attrResKernName     = 29  // string
	attrResCMID         = 30  // nested: entries of type 31
	attrResPS           = 32  // u32, enum rdma_ucm_port_space
	attrResSrcAddr      = 33  // struct sockaddr_storage
	attrResDstAddr      = 34  // struct sockaddr_storage
	attrResCQ           = 35  // nested: entries of type 36
	attrResCQE          = 37  // u32
	attrResUseCnt       = 38  // u64
	attrResPollCtx      = 39  // u8, enum ib_poll_context
	attrResMR           = 40  // nested: entries of type 41
	attrResRKey         = 42  // u32
	attrResLKey         = 43  // u32
	attrResIOVA         = 44  // u64
	attrResMRLen        = 45  // u64
	attrResPD           = 46  // nested: entries of type 47
	attrResLocalLKey    = 48  // u32
	attrResGlobalRKey   = 49  // u32
	attrDriver          = 52  // nested: names and values in turn
	attrDriverString    = 54  // string: a name, or a value
	attrDriverPrintType = 55  // u8, enum rdma_nldev_print_type
	attrDriverS32       = 56  // s32
	attrDriverU32       = 57  // u32
	attrDriverS64       = 58  // s64
	attrDriverU64       = 59  // u64
	attrResPDN          = 60  // u32
	attrResCQN          = 61  // u32
	attrResMRN          = 62  // u32
	attrResCMIDN        = 63  // u32
	attrResCtxN         = 64  // u32
	attrResRaw          = 85  // octets
	attrResCtx          = 86  // nested: entries of type 87
	attrResSRQ          = 88  // nested: entries of type 89
	attrResSRQN         = 90  // u32
	attrMinRange        = 91  // u32
	attrMaxRange        = 92  // u32
	attrDriverDetails   = 97  // u8
	attrResSubtype      = 98  // string
	attrResSummaryMax   = 118 // u64
)

// driverPrintHex is RDMA_NLDEV_PRINT_TYPE_HEX.
const driverPrintHex = 1

// afIB is AF_IB: an address of GID and service id (rdma/ib.h, struct sockaddr_ib).
const afIB = 27

// sizeSockaddrStorage is that of struct __kernel_sockaddr_storage.
const sizeSockaddrStorage = 128
