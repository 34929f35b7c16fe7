package sysfs

import (
	"errors"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

const cmPort = "class/infiniband/x/ports/1"

func readCM(t *testing.T, tree sysfstest.Tree, port uint32) ([]CMCounter, []rdma.Warning, error) {
	t.Helper()
	fs, err := Open(tree.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	d, err := fs.OpenDevice("x")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return d.CMCounters("x", port)
}

func TestCMCounters(t *testing.T) {
	tree := sysfstest.Tree{
		"cm_rx_msgs/rej": "3\n", "cm_rx_msgs/req": "18446744073709551615\n", "cm_rx_msgs/zzz": "1\n",
		"cm_tx_msgs/rej": "0\n", "cm_tx_msgs/req": "7\n",
		"cm_tx_retries/req": "2\n",
	}
	got, warnings, err := readCM(t, tree.Under(cmPort), 1)
	want := []CMCounter{
		{Kind: "req", TxMsgs: rdma.Known(uint64(7)), TxRetries: rdma.Known(uint64(2)), RxMsgs: rdma.Known(uint64(1<<64 - 1))},
		{Kind: "rej", TxMsgs: rdma.Known(uint64(0)), RxMsgs: rdma.Known(uint64(3))},
		{Kind: "zzz", RxMsgs: rdma.Known(uint64(1))},
	}
	if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, warnings %v, %v", got, warnings, err)
	}
}

// A counter that can't be read is unknown, and the others are there.
func TestBadCMCounter(t *testing.T) {
	for _, text := range []string{"", "-1\n", "N/A\n", "18446744073709551616\n"} {
		tree := sysfstest.Tree{"cm_tx_msgs/req": "7\n", "cm_rx_msgs/req": text}
		got, warnings, err := readCM(t, tree.Under(cmPort), 1)
		if err != nil || len(got) != 1 || got[0].RxMsgs.IsKnown() || got[0].TxMsgs.Or(0) != 7 {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if len(warnings) != 1 || warnings[0].Object != "x/1" || !errors.Is(warnings[0], ErrNonsense) {
			t.Errorf("%q: warnings %v", text, warnings)
		}
	}
}

func TestNoCMCounters(t *testing.T) {
	tree := sysfstest.Tree{cmPort + "/state": "4: ACTIVE\n"}
	if _, _, err := readCM(t, tree, 1); !errors.Is(err, ErrNoCMCounters) {
		t.Errorf("no directories: %v", err)
	}
	if _, _, err := readCM(t, tree, 2); !errors.Is(err, ErrNoPort) {
		t.Errorf("no port: %v", err)
	}
	if _, _, err := readCM(t, sysfstest.Tree{"class/infiniband/x/": ""}, 1); !errors.Is(err, ErrVanished) {
		t.Errorf("no ports at all: %v", err)
	}
	if _, _, err := readCM(t, sysfstest.Tree{cmPort + "/cm_tx_msgs": "a file\n"}, 1); !errors.Is(err, ErrNoCMCounters) || !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("what should be a directory is none: %v", err)
	}
}
