package nldev

// enum rdma_nldev_attr; the comment is the payload.
const (
	attrResQPEntry     = 20  // nested
	attrStatMode       = 74  // u32, enum rdma_nl_counter_mode
	attrStatRes        = 75  // u32: attrResQP
	attrStatAutoMask   = 76  // u32, enum rdma_nl_counter_mask
	attrStatCounter    = 77  // nested: entries of type 78
	attrStatCounterID  = 79  // u32
	attrStatHWCounters = 80  // nested: entries of type 81
	attrStatHWName     = 82  // string
	attrStatHWValue    = 83  // u64
	attrStatHWIndex    = 94  // u32
	attrStatHWDynamic  = 95  // u8: an optional counter, and whether it counts
	attrStatOptional   = 104 // u8: automatic counters count optional events too
)

// enum rdma_nl_counter_mask
const (
	counterMaskType = 1 << 0
	counterMaskPID  = 1 << 1
)
