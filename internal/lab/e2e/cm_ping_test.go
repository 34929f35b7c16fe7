package e2e

import (
	"context"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/lab/depot"
	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/ucma"
)

// counted runs f and returns by how much the counters of a kind of message grew at both hosts.
func counted(t *testing.T, kind string, f func()) (a, b map[string]int) {
	t.Helper()
	beforeA, beforeB := cmCounters(t, "rxea", kind), cmCounters(t, "rxeb", kind)
	f()
	return minus(cmCounters(t, "rxea", kind), beforeA), minus(cmCounters(t, "rxeb", kind), beforeB)
}

// minus leaves out what is zero.
func minus(after, before map[string]int) map[string]int {
	out := map[string]int{}
	for name, n := range after {
		if n -= before[name]; n != 0 {
			out[name] = n
		}
	}
	return out
}

func wantCounted(t *testing.T, host string, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s counted %v, want %v", host, got, want)
	}
}

// TestCMPingAlive: a host without a listener answers, and both kernels counted the messages.
func TestCMPingAlive(t *testing.T) {
	oneNamespace(t)
	for kind, want := range map[string]struct{ a, b map[string]int }{
		"req": {map[string]int{"cm_tx_msgs": 3}, map[string]int{"cm_rx_msgs": 3}},
		"rej": {map[string]int{"cm_rx_msgs": 3}, map[string]int{"cm_tx_msgs": 3}},
	} {
		a, b := counted(t, kind, func() {
			replies := ping(t, "", 0, hostB, "--from", hostA, "-c", "3", "-i", "0.1")
			wantOutcomes(t, replies, 3, "no_listener")
			for _, r := range replies {
				if r["device"] != "rxea" || r["src_addr"] != hostA || r["rtt_ms"] == nil {
					t.Errorf("reply %v", r)
				}
			}
		})
		wantCounted(t, "rxea, of "+kind+",", a, want.a)
		wantCounted(t, "rxeb, of "+kind+",", b, want.b)
	}
}

// TestCMPingIdentity: who listens says who it is, on either host.
func TestCMPingIdentity(t *testing.T) {
	oneNamespace(t)
	listener := ibctlListen(t)
	name := strings.TrimSpace(run(t, "hostname", "-s"))
	for _, to := range []struct{ from, host, device, netdev string }{{hostA, hostB, "rxeb", "vb"}, {hostB, hostA, "rxea", "va"}} {
		replies := ping(t, "", 0, to.host, "--from", to.from, "-c", "2", "-i", "0.1")
		wantOutcomes(t, replies, 2, "identified")
		for _, r := range replies {
			who, _ := r["identity"].(object)
			if who["host"] != name || who["device"] != to.device || who["netdev"] != to.netdev {
				t.Errorf("identity %v", who)
			}
		}
	}
	listener.stop(syscall.SIGINT)
	if code := listener.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("ibctl cm listen, interrupted, ended with %d", code)
	}
	wantOutcomes(t, ping(t, "", 0, hostB, "--from", hostA, "-c", "1"), 1, "no_listener")
}

// TestCMPingUnreachable: nobody has the address.
func TestCMPingUnreachable(t *testing.T) {
	oneNamespace(t)
	a, b := counted(t, "req", func() {
		wantOutcomes(t, ping(t, "", 1, "10.1.1.77", "--from", hostA, "-c", "2", "-W", "0.5", "-i", "0.1"), 2, "unreachable")
		wantOutcomes(t, ping(t, "", 1, "192.0.2.1", "-c", "1"), 1, "unreachable")
	})
	wantCounted(t, "rxea", a, nil)
	wantCounted(t, "rxeb", b, nil)
	if r := ibctl(t, "", "cm", "ping", "192.0.2.1", "-c", "1"); !strings.Contains(r.stderr, "network is unreachable") {
		t.Errorf("standard error lacks the kernel's words: %s", r.stderr)
	}
}

// application is a listener of this process that does with requests as it is told.
func application(t *testing.T, port uint16, answer func(ch *ucma.Channel, request *ucma.ID) error) {
	t.Helper()
	ch, err := ucma.Open()
	if err != nil {
		t.Fatal(err)
	}
	id, err := ch.NewID()
	if err == nil {
		err = id.Bind(netip.AddrPortFrom(netip.MustParseAddr(hostB), port))
	}
	if err == nil {
		err = id.Listen(16)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			e, err := ch.NextEvent(ctx)
			if err != nil {
				return
			}
			if e.Type != ucma.EventConnectRequest {
				continue
			}
			request, err := ch.Request(e)
			if err == nil {
				err = answer(ch, request)
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		serving.Wait()
		ch.Close()
	})
}

// TestCMPingApplications: what an application that listens does with a request.
func TestCMPingApplications(t *testing.T) {
	oneNamespace(t)
	application(t, 7001, func(_ *ucma.Channel, request *ucma.ID) error {
		if err := request.Reject([]byte("no vacancies")); err != nil {
			return err
		}
		return request.Destroy()
	})
	application(t, 7002, func(*ucma.Channel, *ucma.ID) error { return nil })
	wantOutcomes(t, ping(t, "", 0, hostB, "--from", hostA, "--port", "7001", "-c", "2", "-i", "0.1"), 2, "rejected")
	wantOutcomes(t, ping(t, "", 1, hostB, "--from", hostA, "--port", "7002", "-c", "1", "-W", "3"), 1, "timed_out")

	rpingServer(t, hostB, "7003")
	wantOutcomes(t, ping(t, "", 0, hostB, "--from", hostA, "--port", "7003", "-c", "1"), 1, "accepted")
	for _, id := range rdmaObjects(t, "", "res", "show", "cm_id") {
		if strings.HasPrefix(id["src-addr"].(string), hostA+":") {
			t.Errorf("the pings left an id: %v", id)
		}
	}
}

// pingCount runs ibctl cm ping and returns how often it asked, and how often it was answered.
func pingCount(t *testing.T, netns string, args ...string) (sent, answered int) {
	t.Helper()
	r := ibctl(t, netns, append([]string{"cm", "ping", "-o", "json"}, args...)...)
	var doc struct {
		Items []struct {
			Sent, Answered int
			Replies        []object
		}
	}
	decode(t, r.stdout, &doc)
	if len(doc.Items) != 1 {
		t.Errorf("exit code %d, %d items\n%s", r.code, len(doc.Items), r.stderr)
		return 0, 0
	}
	for _, reply := range doc.Items[0].Replies {
		if reply["alive"] != true {
			t.Logf("not answered: %v", reply)
		}
	}
	return doc.Items[0].Sent, doc.Items[0].Answered
}

// TestCMPingsAtOnce: pings of one host name one QPN, and yet each gets an answer.
func TestCMPingsAtOnce(t *testing.T) {
	onOneKernel(t)
	oneNamespace(t)
	ibctlListen(t)
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			if sent, answered := pingCount(t, "", hostB, "--from", hostA, "-c", "100", "-i", "0.01", "-W", "30"); sent != 100 || answered != 100 {
				t.Errorf("%d of %d answered", answered, sent)
			}
		})
	}
	asking.Wait()
}

// TestCMPingSparesConnections: a connection between the two hosts outlives many pings one way and the other (1,000 and 200 in the long form), whose QPN is none that lives.
func TestCMPingSparesConnections(t *testing.T) {
	onOldestAndNewest(t)
	oneNamespace(t)
	server := rpingServer(t, hostB, "7174")
	ping(t, "", 0, hostB, "--from", hostA, "-c", "1") // the neighbour is known then, and rping does not wait for it
	client := startProgram(t, "rping", "-c", "-I", hostA, "-a", hostB, "-p", "7174")
	connected := func() (qps []object) {
		for _, qp := range rdmaObjects(t, "", "res", "show", "qp") {
			if qp["type"] == "RC" && qp["state"] == "RTS" {
				qps = append(qps, qp)
			}
		}
		return qps
	}
	waitFor(t, "rping to connect", func() bool { return len(connected()) == 2 })
	before := connected()
	for _, way := range []struct {
		from, to string
		count    int
	}{{hostA, hostB, soak.Times(300, 1000)}, {hostB, hostA, soak.Times(60, 200)}} {
		sent, answered := pingCount(t, "", way.to, "--from", way.from, "-c", strconv.Itoa(way.count), "-i", "0.01", "-W", "30")
		// Datagrams get lost; on 7.x one of 1,000 was, beside two other guests on two processors.
		if sent != way.count || answered < way.count*99/100 {
			t.Errorf("%d of %d answered, want %d asked and nearly all answered", answered, sent, way.count)
		}
	}
	after := connected()
	if !server.alive() || !client.alive() || len(after) != 2 {
		t.Fatalf("server alive %v, client alive %v, QPs %v", server.alive(), client.alive(), after)
	}
	for i, qp := range after {
		if qp["lqpn"] != before[i]["lqpn"] || qp["sq-psn"] == before[i]["sq-psn"] {
			t.Errorf("QP %v before, %v after: another one, or it carries nothing", before[i], qp)
		}
	}
}

// TestCMPingTwoNamespaces: rxe's UDP socket belonged to the first namespace alone until Linux 7: before, nothing arrives.
func TestCMPingTwoNamespaces(t *testing.T) {
	lab.Topology{
		Namespaces: []string{"red", "blue"},
		Links: []lab.Link{
			{Name: "va", Kind: lab.Veth{Peer: "vb"}, Netns: "red", Addrs: []string{hostA + "/24"}},
			{Name: "vb", Kind: lab.PeerOf{Veth: "va"}, Netns: "blue", Addrs: []string{hostB + "/24"}},
		},
		HCAs: []lab.HCA{{Name: "rxea", Netdev: "va"}, {Name: "rxeb", Netdev: "vb"}},
	}.Up(t)
	if series, _ := lab.Inside(); series != depot.Linux7 {
		for _, r := range ping(t, "red", 1, hostB, "-c", "2", "-W", "0.5", "-i", "0.1") {
			if r["alive"] != false { // unreachable on 6.1, where the send fails; no answer on 6.12
				t.Errorf("%v: the premise is gone", r)
			}
		}
		return
	}
	replies := ping(t, "red", 0, hostB, "-c", "2", "-i", "0.1")
	wantOutcomes(t, replies, 2, "no_listener")
	listener := startProgram(t, "ip", "netns", "exec", "blue", "ibctl", "cm", "listen", "-o", "jsonl")
	for !strings.HasPrefix(listener.next(t).Address, hostB+":") {
	}
	wantOutcomes(t, ping(t, "red", 0, hostB, "-c", "2", "-i", "0.1"), 2, "identified")
	listener.stop(syscall.SIGINT)
}

// TestCMPingEndsInOrder: an interrupted ping sums up, and lets go at once even while the remote is silent.
func TestCMPingEndsInOrder(t *testing.T) {
	oneNamespace(t)
	application(t, 7002, func(*ucma.Channel, *ucma.ID) error { return nil })
	b := startProgram(t, "ibctl", "cm", "ping", hostB, "--from", hostA, "--port", "7002", "-W", "60")
	waitFor(t, "the request to be pending", func() bool {
		for _, id := range rdmaObjects(t, "", "res", "show", "cm_id") {
			if id["state"] == "CONNECT" && strings.HasPrefix(id["src-addr"].(string), hostA+":") {
				return true
			}
		}
		return false
	})
	asked := time.Now()
	b.stop(syscall.SIGINT)
	if took := time.Since(asked); took > patience {
		t.Errorf("it took %v to end", took)
	}
	if code := b.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1: nobody answered", code)
	}
}
