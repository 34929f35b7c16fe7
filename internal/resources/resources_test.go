package resources

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/procfs"
)

var rxe0 = rdma.Device{Name: "rxe0", Index: rdma.Known(uint32(0))}

// ops are the operations that the recorded messages answer, by what they are
// called there (enum rdma_nldev_command).
var ops = map[uint16]string{9: "res-get", 12: "res-cq", 13: "res-mr", 14: "res-pd", 22: "res-ctx", 23: "res-srq"}

// recorded answers as a kernel did on which ibv_srq_pingpong -q 2 ran.
func recorded(t testing.TB, kernel string) *nldev.Conn {
	t.Helper()
	answers := recordedAnswers(t, kernel)
	return nldev.Replay(func(op uint16) [][]byte { return answers[ops[op]] })
}

// recordedAnswers are the datagrams of a kernel, by what they are called.
func recordedAnswers(t testing.TB, kernel string) map[string][][]byte {
	t.Helper()
	f, err := os.Open("../nldev/testdata/recorded/" + kernel + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	answers := map[string][][]byte{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		answers[name] = append(answers[name], raw)
	}
	return answers
}

// procTree is a /proc with one process, whose thread has another name.
func procTree(t *testing.T, pid, tid int) procfs.FS {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	leader, thread := strconv.Itoa(pid), strconv.Itoa(tid)
	status := "Name:\tx\nTgid:\t" + leader + "\nUid:\t0\t0\t0\t0\n"
	write(leader+"/stat", leader+" (ibv_srq_pingpon) S 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 77 0\n")
	write(leader+"/status", status)
	write(leader+"/cmdline", "ibv_srq_pingpong\x00")
	write(leader+"/cgroup", "0::/system.slice/trainer.service\n")
	write(leader+"/task/"+thread+"/comm", "poller\n")
	write(thread+"/status", status)
	return procfs.Open(root)
}

// On 7.x the recorded owner is 122.
func TestOwners(t *testing.T) {
	r := NewReader(recorded(t, "7.x"), procTree(t, 120, 122), Options{})
	mrs, err := r.List(t.Context(), MR, rxe0)
	if err != nil || len(mrs) != 1 {
		t.Fatalf("%v, %v", mrs, err)
	}
	text, err := json.Marshal(mrs[0])
	want := `{"device":"rxe0","device_index":0,"mrn":0,"rkey":519,"lkey":519,"mrlen":4096,"pdn":1,` +
		`"pid":120,"tid":122,"comm":"ibv_srq_pingpon","thread":"poller","uid":0,"user":"root","unit":"trainer.service"}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v\nwant %s", text, err, want)
	}
	if name := mrs[0].Name(); name != "rxe0/mr/0" {
		t.Errorf("name %s", name)
	}
	pds, err := r.List(t.Context(), PD, rxe0)
	if err != nil || len(pds) != 2 || pds[0].Text("comm") != "[ib_core]" || pds[0].Text("local_dma_lkey") != "0x1e9" {
		t.Errorf("%v, %v", pds, err)
	}
}

// A thread that has ended is a number, and the object is there.
func TestOwnerIsGone(t *testing.T) {
	r := NewReader(recorded(t, "7.x"), procfs.Open(t.TempDir()), Options{})
	mrs, err := r.List(t.Context(), MR, rxe0)
	if err != nil || len(mrs) != 1 || mrs[0].Text("tid") != "122" || mrs[0].Text("pid")+mrs[0].Text("comm") != "" {
		t.Errorf("%v, %v", mrs, err)
	}
}

func TestCounts(t *testing.T) {
	for kernel, limit := range map[string]string{"6.1": "", "6.12": "", "7.x": "1048560"} {
		counts, err := NewReader(recorded(t, kernel), procfs.Open(t.TempDir()), Options{}).Counts(t.Context(), rxe0)
		if err != nil || counts.Text("qp") != "3" || counts.Text("qp_max") != limit || counts.Text("device") != "rxe0" {
			t.Errorf("%s: %v, %v", kernel, counts, err)
		}
	}
	r := NewReader(recorded(t, "7.x"), procfs.Open(t.TempDir()), Options{})
	if _, err := r.Counts(t.Context(), rdma.Device{Name: "rxe0"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without an index: %v", err)
	}
}

// object makes an object of keys and values in turn.
func object(k Kind, pairs ...any) Object {
	o := Object{Kind: k}
	for i := 0; i < len(pairs); i += 2 {
		o.Attrs = append(o.Attrs, Attr{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return o
}

func TestFilter(t *testing.T) {
	qp := object(QP, "device", "rxe0", "lqpn", uint64(17), "state", "RTS", "comm", "ib_write_bw", "drv_big", uint64(math.MaxUint64), "drv_low", int64(-5))
	srq := object(SRQ, "lqpn", []nldev.Range{{First: 17, Last: 20}, {First: 30, Last: 30}})
	for _, tt := range []struct {
		object    Object
		key, list string
		want      bool
	}{
		{qp, "lqpn", "17", true},
		{qp, "lqpn", "1,10-20", true},
		{qp, "lqpn", "0x10-0x11", true},
		{qp, "lqpn", "18-20,4294967313", false}, // 17 + 2^32: all 64 bits count
		{qp, "state", "rtr,rts", true},
		{qp, "state", "ERR", false},
		{qp, "comm", "ib_*", true},
		{qp, "comm", "ib", false},
		{qp, "rqpn", "0", false}, // unknown is not zero
		{qp, "drv_big", "18446744073709551615", true},
		{qp, "drv_big", "4294967295", false},
		{qp, "drv_low", "-5", true},
		{qp, "drv_low", "0-9", false},
		{srq, "lqpn", "19", true},
		{srq, "lqpn", "21-29", false},
		{srq, "lqpn", "25-30", true},
	} {
		c, err := ParseCondition(tt.object.Kind, tt.key, tt.list)
		if err != nil {
			t.Errorf("%s=%s: %v", tt.key, tt.list, err)
		}
		if got := (Filter{c}).Passes(tt.object); got != tt.want {
			t.Errorf("%s=%s: %v", tt.key, tt.list, got)
		}
	}
	both := Filter{{Key: "lqpn", wanted: []wanted{{isNumber: true, first: 17, last: 17}}}, {Key: "state", wanted: []wanted{{text: "err"}}}}
	if both.Passes(qp) || !(Filter{}).Passes(qp) {
		t.Error("all conditions count, and none lets everything through")
	}
}

func TestBadConditions(t *testing.T) {
	for _, tt := range [][2]string{{"lqpn", ""}, {"lqpn", "1,,2"}, {"lqpn", "9-5"}, {"lqpn", "5-"}, {"lqpn", "five"}, {"comm", "[a"}} {
		if _, err := ParseCondition(QP, tt[0], tt[1]); err == nil {
			t.Errorf("%s=%s is taken", tt[0], tt[1])
		}
	}
	_, err := ParseCondition(QP, "rkey", "1")
	var unknown *UnknownKeyError
	if !errors.As(err, &unknown) {
		t.Errorf("a QP has no rkey: %v", err)
	}
}

func TestSum(t *testing.T) {
	all := []Object{
		object(QP, "device", "rxe0", "comm", "[ib_core]"),
		object(QP, "device", "rxe0", "pid", uint64(7), "comm", "job", "pod", "p1"),
		object(MR, "device", "rxe0", "mrlen", uint64(1<<40), "pid", uint64(7), "comm", "job", "pod", "p1"),
		object(MR, "device", "rxe1", "mrlen", uint64(5), "pid", uint64(7), "comm", "job", "pod", "p1"),
		object(QP, "device", "rxe0", "pid", uint64(8), "comm", "job", "pod", "p1"),
		object(QP, "device", "rxe0"),
	}
	for by, want := range map[string]string{
		"pid": `[{"pid":7,"comm":"job","pod":"p1","devices":["rxe0","rxe1"],"qp":1,"mr":2,"mr_octets":1099511627781},` +
			`{"comm":"[ib_core]","devices":["rxe0"],"qp":1},{"pid":8,"comm":"job","pod":"p1","devices":["rxe0"],"qp":1},{"devices":["rxe0"],"qp":1}]`,
		"pod": `[{"pod":"p1","devices":["rxe0","rxe1"],"qp":2,"mr":2,"mr_octets":1099511627781},` +
			`{"comm":"[ib_core]","devices":["rxe0"],"qp":1},{"devices":["rxe0"],"qp":1}]`,
	} {
		if text, err := json.Marshal(Sum(all, by)); err != nil || string(text) != want {
			t.Errorf("by %s: %s, %v\nwant %s", by, text, err, want)
		}
	}
}

// Whatever a driver calls its attributes, the JSON is valid.
func TestJSONOfOddTexts(t *testing.T) {
	o := object(QP, "drv_a\"b\x1b", "\xff\x00<&>", "n", uint64(math.MaxUint64), "s", int64(math.MinInt64), "yes", true)
	text, err := json.Marshal(o)
	if err != nil || !json.Valid(text) || !strings.Contains(string(text), "18446744073709551615") || !strings.Contains(string(text), "-9223372036854775808") {
		t.Errorf("%s, %v", text, err)
	}
}

// keys and describe belong together: what is described is in the list.
func TestKeysAreWhole(t *testing.T) {
	u := rdma.Known(uint32(1))
	w := rdma.Known(uint64(1))
	described := map[Kind]func(*list){
		QP: func(l *list) {
			describeQP(l, nldev.QP{Port: u, RQPN: u, RQPSN: u, SQPSN: u, PathMig: rdma.Known(nldev.PathMigState(0)), Type: rdma.Known(nldev.QPType(2)),
				Subtype: "x", State: rdma.Known(nldev.QPState(3)), PDN: u})
		},
		CQ: func(l *list) {
			describeCQ(l, nldev.CQ{CQN: u, CQE: u, Users: w, PollContext: rdma.Known(nldev.PollContext(1)), AdaptiveModeration: rdma.Known(true), CTXN: u})
		},
		MR: func(l *list) { describeMR(l, nldev.MR{MRN: u, RKey: u, LKey: u, IOVA: w, Length: w, PDN: u}) },
		PD: func(l *list) {
			describePD(l, nldev.PD{PDN: u, LocalDMALKey: u, UnsafeGlobalRKey: u, Users: w, CTXN: u})
		},
		Ctx: func(l *list) { describeContext(l, nldev.Context{CTXN: u}) },
		SRQ: func(l *list) {
			describeSRQ(l, nldev.SRQ{SRQN: u, Type: rdma.Known(nldev.SRQType(0)), PDN: u, CQN: u, QPs: []nldev.Range{{First: 1, Last: 1}}})
		},
		CMID: func(l *list) {
			describeCMID(l, nldev.CMID{IDN: u, Port: u, LQPN: u, QPType: rdma.Known(nldev.QPType(2)), PortSpace: rdma.Known(nldev.PortSpace(0x106)),
				State: rdma.Known(nldev.CMState(8)), Source: nldev.Endpoint{HasGID: true}, Destination: nldev.Endpoint{HasGID: true}})
		},
	}
	for _, k := range Kinds() {
		var l list
		described[k](&l)
		var have []string
		for _, a := range l.Attrs {
			have = append(have, a.Key)
		}
		if strings.Join(have, " ") != strings.Join(keys[k], " ") {
			t.Errorf("%s: described are %v, listed %v", k, have, keys[k])
		}
	}
}
