package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// pingRun is the item of a CMPing document: a host that was asked.
type pingRun struct {
	Address  string `json:"address"`
	Port     uint32 `json:"port"`
	Sent     int    `json:"sent"`
	Answered int    `json:"answered"`
	// Round-trip times in milliseconds, of the answers.
	Min     rdma.Opt[float64] `json:"rtt_min_ms,omitzero"`
	Avg     rdma.Opt[float64] `json:"rtt_avg_ms,omitzero"`
	Max     rdma.Opt[float64] `json:"rtt_max_ms,omitzero"`
	Mdev    rdma.Opt[float64] `json:"rtt_mdev_ms,omitzero"`
	Replies []pingReply       `json:"replies"`

	start time.Time
	times []float64
}

// pingReply is what came of asking once; with -o jsonl a line of its own.
type pingReply struct {
	Seq uint32 `json:"seq"`
	// Alive tells whether anything answered, Outcome in a word what.
	Alive   bool              `json:"alive"`
	Outcome string            `json:"outcome"`
	RTT     rdma.Opt[float64] `json:"rtt_ms,omitzero"`
	Resolve rdma.Opt[float64] `json:"resolve_ms,omitzero"`
	// Device, Port and Source are this host's.
	Device string `json:"device,omitzero"`
	Port   uint32 `json:"port,omitzero"`
	Source string `json:"src_addr,omitzero"`
	// Reason is that of a rejection (IBTA 12.6.7.2).
	Reason     uint32        `json:"reason,omitzero"`
	ReasonText string        `json:"reason_text,omitzero"`
	Identity   *pingIdentity `json:"identity,omitempty"`
	Error      string        `json:"error,omitzero"`
}

// pingIdentity is who answered, in the words that it sent.
type pingIdentity struct {
	Host   string   `json:"host,omitzero"`
	Device string   `json:"device,omitzero"`
	Port   uint32   `json:"port,omitzero"`
	GID    rdma.GID `json:"gid,omitzero"`
	Netdev string   `json:"netdev,omitzero"`
}

func newPingRun(request *cmv1.PingRequest) *pingRun {
	return &pingRun{
		Address: ipText(request.GetDestination()), Port: request.GetDestination().GetPort(),
		Replies: []pingReply{}, start: time.Now(),
	}
}

// outcomeWords are the outcomes as JSON has them.
var outcomeWords = map[cmv1.Outcome]string{
	cmv1.Outcome_OUTCOME_IDENTIFIED:  "identified",
	cmv1.Outcome_OUTCOME_NO_LISTENER: "no_listener",
	cmv1.Outcome_OUTCOME_REJECTED:    "rejected",
	cmv1.Outcome_OUTCOME_ACCEPTED:    "accepted",
	cmv1.Outcome_OUTCOME_BUSY:        "busy",
	cmv1.Outcome_OUTCOME_REFUSED:     "refused",
	cmv1.Outcome_OUTCOME_TIMED_OUT:   "timed_out",
	cmv1.Outcome_OUTCOME_UNREACHABLE: "unreachable",
}

// add takes an answer, and returns it as it is shown.
func (r *pingRun) add(reply *cmv1.PingReply) pingReply {
	item := pingReply{
		Seq: reply.GetSeq(), Alive: reply.GetOutcome().Alive(), Outcome: outcomeWords[reply.GetOutcome()],
		RTT: millis(reply.RttNs), Resolve: millis(reply.ResolveNs),
		Device: reply.GetDevice(), Port: reply.GetPort(), Source: ipText(reply.GetSource()),
		Reason: reply.GetReason(), ReasonText: reply.GetReasonText(), Error: reply.GetError().GetMessage(),
	}
	if who := reply.GetIdentity(); who != nil {
		item.Identity = &pingIdentity{Host: who.GetHost(), Device: who.GetDevice(), Port: who.GetPort(), Netdev: who.GetNetdev()}
		copy(item.Identity.GID[:], who.GetGid())
	}
	r.Sent++
	if item.Alive {
		r.Answered++
	}
	if ms, ok := item.RTT.Get(); ok {
		r.times = append(r.times, ms)
		r.statistics()
	}
	r.Replies = append(r.Replies, item)
	return item
}

func millis(ns *int64) rdma.Opt[float64] {
	if ns == nil {
		return rdma.Opt[float64]{}
	}
	return rdma.Known(math.Round(float64(*ns)/1e3) / 1e3)
}

// statistics are those of ping(8); mdev is the standard deviation.
func (r *pingRun) statistics() {
	low, high, sum, squares := math.Inf(1), 0.0, 0.0, 0.0
	for _, ms := range r.times {
		low, high = min(low, ms), max(high, ms)
		sum, squares = sum+ms, squares+ms*ms
	}
	n := float64(len(r.times))
	mean := sum / n
	mdev := math.Sqrt(max(0, squares/n-mean*mean))
	r.Min, r.Avg, r.Max, r.Mdev = rounded(low), rounded(mean), rounded(high), rounded(mdev)
}

func rounded(ms float64) rdma.Opt[float64] { return rdma.Known(math.Round(ms*1e3) / 1e3) }

// line shows an answer to people.
func (p pingReply) line() string {
	line := fmt.Sprintf("seq=%d ", p.Seq)
	if ms, ok := p.RTT.Get(); ok {
		line += fmt.Sprintf("time=%.3f ms ", ms)
	}
	return line + p.meaning()
}

// meaning says what the outcome means.
func (p pingReply) meaning() string {
	switch p.Outcome {
	case "identified":
		return "alive: " + p.Identity.text()
	case "no_listener":
		return "alive, nobody listens on that port"
	case "rejected":
		return "alive, an application listens there and rejected"
	case "accepted":
		return "alive, an application listens there and accepted; it was told no"
	case "busy":
		return "alive, and busy with another question from here"
	case "refused":
		return "alive, refused: " + p.ReasonText
	case "timed_out":
		return "no answer in time"
	}
	return "unreachable: " + p.Error
}

func (who pingIdentity) text() string {
	words := []string{who.Host}
	if who.Device != "" {
		words = append(words, fmt.Sprintf("%s/%d", who.Device, who.Port))
	}
	if !who.GID.IsZero() {
		words = append(words, who.GID.Addr().String())
	}
	return strings.Join(append(words, who.Netdev), " ")
}

// summary is the end of it, as ping(8) has it.
func (r *pingRun) summary() string {
	lost := 100 * (r.Sent - r.Answered) / max(r.Sent, 1)
	text := fmt.Sprintf("\n--- %s CM ping statistics ---\n%d asked, %d answered, %d%% lost, time %d ms\n",
		r.Address, r.Sent, r.Answered, lost, time.Since(r.start).Milliseconds())
	if len(r.times) > 0 {
		text += fmt.Sprintf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", r.Min.Or(0), r.Avg.Or(0), r.Max.Or(0), r.Mdev.Or(0))
	}
	return text
}

// seconds reads a flag that takes seconds, as ping(8) does, or a duration.
func seconds(c *cli.Context, flag string, least time.Duration) (time.Duration, error) {
	value := c.String(flag)
	d, err := time.ParseDuration(value)
	if n, notSeconds := strconv.ParseFloat(value, 64); notSeconds == nil {
		d, err = time.Duration(n*float64(time.Second)), nil
	}
	if err != nil || d < least || d > 24*time.Hour {
		return 0, usagef("--%s %s: want seconds or a duration, at least %v", flag, value, least)
	}
	return d, nil
}
