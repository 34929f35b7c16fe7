package nldev

import (
	"errors"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestEvents(t *testing.T) {
	for kernel, want := range map[string][]string{
		"6.12": {
			"REGISTER", "NETDEV_ATTACH", "REGISTER", "NETDEV_ATTACH", "REGISTER", "NETDEV_ATTACH", "REGISTER", "NETDEV_ATTACH",
			"UNREGISTER", "UNREGISTER",
		},
		"7.x": {
			"REGISTER", "NETDEV_ATTACH", "REGISTER", "NETDEV_ATTACH", "REGISTER", "NETDEV_ATTACH", "REGISTER", "NETDEV_ATTACH",
			"RENAME", "NETDEV_RENAME", "UNREGISTER", "UNREGISTER",
		},
	} {
		m := &Monitor{sock: &script{pending: datagrams(t, kernel, "event"), err: unix.ENOBUFS}}
		var types []string
		var all []Event
		for range want {
			events, err := m.Receive(t.Context())
			if err != nil || len(events) != 1 {
				t.Fatalf("%s: %v, %v", kernel, events, err)
			}
			all = append(all, events[0])
			types = append(types, events[0].Type.String())
		}
		if !reflect.DeepEqual(types, want) {
			t.Errorf("%s: got %v", kernel, types)
		}
		attach := Event{
			Type: EventNetdevAttach, Index: rdma.Known(uint32(0)), Name: "rxe0", Port: rdma.Known(uint32(1)),
			NetdevIndex: rdma.Known(uint32(2)), Netdev: "eth0",
		}
		if all[1] != attach {
			t.Errorf("%s: got %+v", kernel, all[1])
		}
		// The netdev of the last device lies in another namespace.
		if all[7] != (Event{Type: EventNetdevAttach}) {
			t.Errorf("%s: got %+v", kernel, all[7])
		}
		if _, err := m.Receive(t.Context()); !errors.Is(err, ErrLost) || !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("%s: %v, want ErrLost", kernel, err)
		}
		m.Close()
		if _, err := m.Receive(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", kernel, err)
		}
	}
}

func TestMalformedEvent(t *testing.T) {
	good := datagrams(t, "7.x", "event")[0]
	bad := message(clientNLDev<<10|cmdMonitor, 0, []byte{8, 0, 1, 0, 0, 0, 0, 0})
	m := &Monitor{sock: &script{pending: [][]byte{append(bad, good...)}}}
	events, err := m.Receive(t.Context())
	if len(events) != 1 || events[0].Name != "rxe0" || !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v, %v", events, err)
	}
}
