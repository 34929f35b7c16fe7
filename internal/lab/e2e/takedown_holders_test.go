package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/procfs"
)

// holder is an item of ibctl dev holders, as far as the tests look.
type holder struct {
	Device      string
	Kind        string
	Name        string
	Effect      string
	Waits       bool
	Reason      string
	PID         int
	User        string
	Command     []string
	Objects     map[string]int
	Descriptors []struct {
		FD           int
		Name         string
		Inherited    *bool
		Creator      int
		CreatorEnded bool `json:"creator_ended"`
	}
}

func holdersOf(t testing.TB, dev string) []holder {
	t.Helper()
	r := ibctl(t, "", "dev", "holders", dev, "-o", "json")
	var doc struct {
		Items    []holder
		Warnings []object
	}
	if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil || r.code != 0 || r.stderr != "" || len(doc.Warnings) > 0 {
		t.Fatalf("exit code %d, %v, warnings %v\n%s%s", r.code, err, doc.Warnings, r.stdout, r.stderr)
	}
	return doc.Items
}

func holderByPID(t testing.TB, all []holder, pid int) holder {
	t.Helper()
	for _, h := range all {
		if h.PID == pid && pid != 0 {
			return h
		}
	}
	t.Fatalf("no holder has the pid %d: %+v", pid, all)
	return holder{}
}

func TestHolders(t *testing.T) {
	oneHCA().Up(t)
	bw, rping := users(t)
	heir, child := shellHolding(t, `exec 9<>/dev/infiniband/uverbs0; sleep 1000 & echo $!; wait`)
	umad, _ := shellHolding(t, `exec 8<>/dev/infiniband/umad0; echo 1; while :; do sleep 1; done`)
	inside, _ := shellHolding(t, `exec unshare --pid --fork sh -c 'exec 9<>/dev/infiniband/uverbs0; echo 1; sleep 1000 9<&9; :'`)
	all := holdersOf(t, "rxe0")

	verbs := "cut_off"
	if waits() {
		verbs = "blocks"
	}
	h := holderByPID(t, all, bw.Process.Pid)
	if h.Name != "ib_write_bw" || h.Effect != verbs || h.Waits != waits() || h.User != "root" || h.Objects["ctx"] != 1 {
		t.Errorf("ib_write_bw: %+v", h)
	}
	if len(h.Descriptors) != 1 || h.Descriptors[0].Name != "uverbs0" || h.Descriptors[0].Inherited == nil || *h.Descriptors[0].Inherited {
		t.Errorf("ib_write_bw: %+v", h)
	}
	h = holderByPID(t, all, rping.Process.Pid)
	if waits() && (h.Effect != "told" || !h.Waits) || !waits() && h.Effect != "cut_off" || h.Objects["cm_id"] != 1 || h.Objects["ctx"] != 1 {
		t.Errorf("rping: %+v", h)
	}
	h = holderByPID(t, all, child)
	if len(h.Descriptors) != 1 || h.Descriptors[0].Inherited == nil || !*h.Descriptors[0].Inherited || h.Descriptors[0].Creator != heir.Process.Pid || h.Waits != waits() {
		t.Errorf("a child that inherited: %+v", h)
	}
	if h = holderByPID(t, all, heir.Process.Pid); *h.Descriptors[0].Inherited {
		t.Errorf("its parent: %+v", h)
	}
	if h = holderByPID(t, all, umad.Process.Pid); h.Effect != "cut_off" || h.Waits || h.Descriptors[0].Name != "umad0" {
		t.Errorf("umad: %+v", h)
	}
	found := false
	for _, h := range all {
		found = found || h.Kind == "process" && isDescendant(h.PID, inside.Process.Pid)
	}
	if !found {
		t.Errorf("nobody in the other PID namespace: %+v", all)
	}
	for _, h := range all {
		if h.Kind == "kernel" && h.Name == "ib_core" && h.Effect == "harmless" && h.Objects["qp"] == 1 {
			return
		}
	}
	t.Errorf("the kernel's own is missing: %+v", all)
}

func isDescendant(pid, ancestor int) bool {
	for pid > 1 && pid != ancestor {
		p, err := procfs.Live().Process(pid)
		if err != nil {
			return false
		}
		pid = p.Parent
	}
	return pid == ancestor
}

// TestHolderInFlight: a descriptor on its way through a socket is in no list of
// the kernel. The module's references give it away.
func TestHolderInFlight(t *testing.T) {
	if !waits() {
		t.Skip("this kernel waits for no descriptor of rxe")
	}
	oneHCA().Up(t)
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	defer unix.Close(ends[0])
	f, err := os.OpenFile("/dev/infiniband/uverbs0", os.O_RDWR, 0)
	if err == nil {
		err = unix.Sendmsg(ends[0], []byte("x"), unix.UnixRights(int(f.Fd())), nil, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, h := range holdersOf(t, "rxe0") {
		if h.Kind == "process" && h.PID == 0 && h.Waits && strings.Contains(h.Reason, "socket") {
			return
		}
	}
	t.Errorf("nobody holds rxe0: %+v", holdersOf(t, "rxe0"))
}

// TestHoldersWithoutRoot: what cannot be seen is said.
func TestHoldersWithoutRoot(t *testing.T) {
	oneHCA().Up(t)
	bw, _ := users(t)
	cmd := exec.Command("ibctl", "dev", "holders", "rxe0", "-o", "json")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	r := runCLI(t, cmd)
	var doc struct {
		Items    []holder
		Warnings []struct{ Object, Message string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil || r.code != 0 {
		t.Fatalf("exit code %d, %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}
	if len(doc.Warnings) != 1 || doc.Warnings[0].Object != "rxe0" || !strings.Contains(doc.Warnings[0].Message, "root sees them") {
		t.Errorf("warnings: %+v", doc.Warnings)
	}
	if h := holderByPID(t, doc.Items, bw.Process.Pid); h.Waits != waits() && h.Effect == "harmless" {
		t.Errorf("ib_write_bw, known by its context alone: %+v", h)
	}
}

// TestHoldersTable shows the table as people see it.
func TestHoldersTable(t *testing.T) {
	oneHCA().Up(t)
	users(t)
	r := ibctl(t, "", "dev", "holders", "rxe0")
	if r.code != 0 || !bytes.Contains([]byte(r.stdout), []byte("ib_write_bw")) || !strings.HasPrefix(r.stdout, "DEVICE") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	t.Logf("$ ibctl dev holders rxe0\n%s", r.stdout)
}
