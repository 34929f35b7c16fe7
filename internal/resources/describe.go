package resources

import "github.com/ibctl/ibctl/internal/nldev"

// The attributes of each kind, in the order of rdma -j. Owner and driver follow.

func describeQP(l *list, q nldev.QP) {
	add(l, "port", q.Port)
	l.number("lqpn", uint64(q.LQPN))
	add(l, "rqpn", q.RQPN)
	add(l, "type", q.Type)
	l.text("subtype", q.Subtype)
	add(l, "state", q.State)
	add(l, "rq_psn", q.RQPSN)
	add(l, "sq_psn", q.SQPSN)
	add(l, "path_mig_state", q.PathMig)
	add(l, "pdn", q.PDN)
}

func describeCQ(l *list, q nldev.CQ) {
	add(l, "cqn", q.CQN)
	add(l, "cqe", q.CQE)
	add(l, "users", q.Users)
	add(l, "poll_ctx", q.PollContext)
	add(l, "adaptive_moderation", q.AdaptiveModeration)
	add(l, "ctxn", q.CTXN)
}

func describeMR(l *list, m nldev.MR) {
	add(l, "mrn", m.MRN)
	addHex(l, "rkey", m.RKey)
	addHex(l, "lkey", m.LKey)
	addHex(l, "iova", m.IOVA)
	add(l, "mrlen", m.Length)
	add(l, "pdn", m.PDN)
}

func describePD(l *list, p nldev.PD) {
	add(l, "pdn", p.PDN)
	addHex(l, "local_dma_lkey", p.LocalDMALKey)
	add(l, "users", p.Users)
	addHex(l, "unsafe_global_rkey", p.UnsafeGlobalRKey)
	add(l, "ctxn", p.CTXN)
}

func describeContext(l *list, x nldev.Context) { add(l, "ctxn", x.CTXN) }

func describeSRQ(l *list, s nldev.SRQ) {
	add(l, "srqn", s.SRQN)
	add(l, "type", s.Type)
	add(l, "pdn", s.PDN)
	add(l, "cqn", s.CQN)
	if len(s.QPs) > 0 {
		l.Attrs = append(l.Attrs, Attr{Key: "lqpn", Value: s.QPs})
	}
}

func describeCMID(l *list, id nldev.CMID) {
	add(l, "port", id.Port)
	add(l, "cm_idn", id.IDN)
	add(l, "lqpn", id.LQPN)
	add(l, "qp_type", id.QPType)
	add(l, "state", id.State)
	add(l, "ps", id.PortSpace)
	l.text("src_addr", id.Source.String())
	l.text("dst_addr", id.Destination.String())
}

// keys are the attributes that the kernel may tell of each kind, and ibctl of
// every object.
var keys = map[Kind][]string{
	QP:   {"port", "lqpn", "rqpn", "type", "subtype", "state", "rq_psn", "sq_psn", "path_mig_state", "pdn"},
	CQ:   {"cqn", "cqe", "users", "poll_ctx", "adaptive_moderation", "ctxn"},
	MR:   {"mrn", "rkey", "lkey", "iova", "mrlen", "pdn"},
	PD:   {"pdn", "local_dma_lkey", "users", "unsafe_global_rkey", "ctxn"},
	Ctx:  {"ctxn"},
	SRQ:  {"srqn", "type", "pdn", "cqn", "lqpn"},
	CMID: {"port", "cm_idn", "lqpn", "qp_type", "state", "ps", "src_addr", "dst_addr"},
}

// ownerKeys are the attributes that tell whose an object is.
var ownerKeys = []string{"pid", "tid", "comm", "thread", "uid", "user", "unit", "pod", "container", "slurm_job"}

// texts are the attributes that are no numbers.
var texts = map[string]bool{
	"device": true, "type": true, "subtype": true, "state": true, "path_mig_state": true, "poll_ctx": true, "adaptive_moderation": true,
	"qp_type": true, "ps": true, "src_addr": true, "dst_addr": true,
	"comm": true, "thread": true, "user": true, "unit": true, "pod": true, "container": true, "slurm_job": true,
}

// IsText tells whether an attribute is no number.
func IsText(key string) bool { return texts[key] }

// Keys lists the attributes that objects of a kind may have, those of their
// driver excepted.
func Keys(k Kind) []string {
	return append(append([]string{"device", "device_index"}, keys[k]...), ownerKeys...)
}
