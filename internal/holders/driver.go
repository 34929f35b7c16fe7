package holders

// moduleOf names the module behind each value of enum rdma_driver_id
// (include/uapi/rdma/ib_user_ioctl_verbs.h). Of a driver that is not here nothing
// is known.
var moduleOf = map[uint32]string{
	1: "mlx5_ib", 2: "mlx4_ib", 4: "iw_cxgb4", 5: "ib_mthca", 6: "bnxt_re", 7: "ocrdma", 9: "irdma",
	10: "vmw_pvrdma", 11: "qedr", 12: "hns_roce_hw_v2", 13: "usnic_verbs", 14: "rdma_rxe", 15: "hfi1",
	16: "ib_qib", 17: "efa", 18: "siw", 19: "erdma", 20: "mana_ib", 21: "ionic_rdma", 22: "bng_re",
}

// disassociates lists the drivers that are known to take contexts away in every
// kernel that they are part of, for kernels that keep no type information to
// look it up in. rdma_rxe is not among them: it learned it in a 7.x.
var disassociates = map[string]bool{
	"mlx5_ib": true, "mlx4_ib": true, "irdma": true, "mana_ib": true, "ionic_rdma": true,
}

// disassociateSuffix ends the name of the function that takes a context away, in
// every driver that has one.
const disassociateSuffix = "_disassociate_ucontext"
