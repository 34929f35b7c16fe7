package cm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/ucma"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

func TestJudge(t *testing.T) {
	const nonce = 7
	who := Identity{Host: "storage-7", Device: "mlx5_0", Port: 1}
	answer := padded(encodeAnswer(nonce, who), ucma.MaxRejectData)
	tests := []struct {
		name  string
		event ucma.Event
		want  cmv1.Outcome
		who   string
		alive bool
	}{
		{"nobody listens", ucma.Event{Type: ucma.EventRejected, Status: 8}, cmv1.Outcome_OUTCOME_NO_LISTENER, "", true},
		{"an application says no", ucma.Event{Type: ucma.EventRejected, Status: 28, PrivateData: []byte("go away")}, cmv1.Outcome_OUTCOME_REJECTED, "", true},
		{"an application says no to ECE", ucma.Event{Type: ucma.EventRejected, Status: 35}, cmv1.Outcome_OUTCOME_REJECTED, "", true},
		{"ibctl answers", ucma.Event{Type: ucma.EventRejected, Status: 28, PrivateData: answer}, cmv1.Outcome_OUTCOME_IDENTIFIED, "storage-7", true},
		{"ibctl's words with another reason", ucma.Event{Type: ucma.EventRejected, Status: 8, PrivateData: answer}, cmv1.Outcome_OUTCOME_NO_LISTENER, "", true},
		{"stale", ucma.Event{Type: ucma.EventRejected, Status: 10}, cmv1.Outcome_OUTCOME_BUSY, "", true},
		{"bad GID", ucma.Event{Type: ucma.EventRejected, Status: 12}, cmv1.Outcome_OUTCOME_REFUSED, "", true},
		{"accepted", ucma.Event{Type: ucma.EventConnectResponse}, cmv1.Outcome_OUTCOME_ACCEPTED, "", true},
		{"the send failed", ucma.Event{Type: ucma.EventUnreachable, Status: -110}, cmv1.Outcome_OUTCOME_UNREACHABLE, "", false},
		{"an error", ucma.Event{Type: ucma.EventConnectError, Status: -22}, cmv1.Outcome_OUTCOME_UNREACHABLE, "", false},
		{"an event that makes no sense", ucma.Event{Type: ucma.EventAddrChange}, cmv1.Outcome_OUTCOME_UNREACHABLE, "", false},
	}
	for _, tt := range tests {
		reply := &cmv1.PingReply{}
		judge(tt.event, nonce, reply)
		if reply.GetOutcome() != tt.want || reply.GetIdentity().GetHost() != tt.who || reply.GetOutcome().Alive() != tt.alive {
			t.Errorf("%s: %v", tt.name, reply)
		}
		if !tt.alive && reply.GetError() == nil {
			t.Errorf("%s: no error says why", tt.name)
		}
	}
}

// Somebody else's answer to somebody else's ping identifies nobody.
func TestAnswerWithAnotherNonceIsNoIdentity(t *testing.T) {
	reply := &cmv1.PingReply{}
	data := encodeAnswer(8, Identity{Host: "storage-7"})
	judge(ucma.Event{Type: ucma.EventRejected, Status: 28, PrivateData: data}, 7, reply)
	if reply.GetOutcome() != cmv1.Outcome_OUTCOME_REJECTED || reply.GetIdentity() != nil {
		t.Errorf("%v", reply)
	}
}

func TestOnlyInfiniBandConnectionManagersAreProbed(t *testing.T) {
	ca, rnic := rdma.Known(rdma.NodeCA), rdma.Known(rdma.NodeRNIC)
	tests := []struct {
		info rdma.Device
		ok   bool
	}{
		{rdma.Device{Protocol: rdma.ProtocolRoCE}, true},
		{rdma.Device{Protocol: rdma.ProtocolIB}, true},
		{rdma.Device{Protocol: rdma.ProtocolOPA}, true},
		{rdma.Device{NodeType: ca}, true},
		{rdma.Device{Protocol: rdma.ProtocolIWARP}, false},
		{rdma.Device{Protocol: rdma.ProtocolIWARP, NodeType: ca}, false},
		{rdma.Device{Protocol: rdma.ProtocolUSNIC}, false},
		{rdma.Device{NodeType: rnic}, false},
		{rdma.Device{}, false},
	}
	for _, tt := range tests {
		if err := checkTransport(tt.info); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.info, err)
		}
	}
}

// QPN 0 and 1 are the special QPs (IBTA 3.9.3); every other number may be a
// connection's.
func TestProbeQPNIsNoConnections(t *testing.T) {
	if probeQPN > 1 {
		t.Errorf("QPN %d may belong to somebody's connection, which the probe would end", probeQPN)
	}
}

func TestFailedProbe(t *testing.T) {
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want cmv1.Outcome
		ends bool
	}{
		{"time is up", ended, ended.Err(), cmv1.Outcome_OUTCOME_TIMED_OUT, false},
		{"no neighbour", t.Context(), ucma.AddrError(hostA, ucma.Event{Status: -int32(unix.ETIMEDOUT)}), cmv1.Outcome_OUTCOME_UNREACHABLE, false},
		{"no route", t.Context(), &ucma.Error{Op: "resolve address", Err: unix.ENETUNREACH}, cmv1.Outcome_OUTCOME_UNREACHABLE, false},
		{"the device is leaving", t.Context(), notAttachedError("rxe0"), cmv1.Outcome_OUTCOME_UNREACHABLE, false},
		{"no connection manager", t.Context(), &ucma.Error{Op: "open", Err: unix.ENOENT}, 0, true},
		{"no RDMA device", t.Context(), ucma.AddrError(hostA, ucma.Event{Status: -int32(unix.ENODEV)}), 0, true},
		{"not allowed", t.Context(), fmt.Errorf("open: %w", fs.ErrPermission), 0, true},
		{"iWARP", t.Context(), checkTransport(rdma.Device{Protocol: rdma.ProtocolIWARP}), 0, true},
		{"the call has ended", t.Context(), context.Canceled, 0, true},
	}
	for _, tt := range tests {
		reply, err := failedProbe(tt.ctx, tt.err)
		if (err != nil) != tt.ends || reply.GetOutcome() != tt.want {
			t.Errorf("%s: %v, %v", tt.name, reply, err)
		}
		if tt.ends && !errors.Is(err, tt.err) {
			t.Errorf("%s: the error became %v", tt.name, err)
		}
	}
}

func TestCheckDestination(t *testing.T) {
	for text, ok := range map[string]bool{
		"10.1.1.2": true, "2001:db8::1": true, "fe80::1%3": true,
		"": false, "0.0.0.0": false, "::": false, "127.0.0.1": false, "::1": false, "224.0.0.1": false, "ff02::1%3": false, "fe80::1": false,
	} {
		var q question
		if text != "" {
			q.destination = mustAddrPort(t, text)
		}
		_, err := newQuestion(cmv1.NewAddress(q.destination), nil)
		if (err == nil) != ok || !ok && status.Code(err) != codes.InvalidArgument {
			t.Errorf("%q: %v", text, err)
		}
	}
}
