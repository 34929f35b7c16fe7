package inside

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// other starts a process in a network namespace of its own with an interface, and
// returns the file of that namespace.
func other(t *testing.T) (netns string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("takes root: it makes a network namespace")
	}
	cmd := exec.Command("unshare", "--net", "sh", "-ec", "ip link add there type veth; echo; exec cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Skipf("a namespace with an interface is not to be had: %v", err)
	}
	return fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid)
}

// What is run sees the interfaces of the other namespace, in /sys too, and this process
// is where it was.
func TestRun(t *testing.T) {
	netns := other(t)
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command("sh", "-c", "readlink /proc/self/ns/net; ls /sys/class/net; ls -d /proc/self")
	cmd.Stdout = &out
	if err := Run(netns, cmd); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	want, err := os.Readlink(netns)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, want+"\n") || !strings.Contains(got, "\nthere\n") || want == before {
		t.Errorf("in %s it sees %q", want, got)
	}
	if _, err := os.Stat("/sys/class/net/there"); err == nil {
		t.Error("this process sees the other's interface")
	}
	if after, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || after != before {
		t.Errorf("this process is in %s now, %v", after, err)
	}
}

// The way there and what is run there fail differently.
func TestRunFails(t *testing.T) {
	err := Run("/proc/self/ns/nothing", exec.Command("true"))
	if entry, ok := errors.AsType[*EntryError](err); !ok || !errors.Is(entry, fs.ErrNotExist) {
		t.Errorf("no such namespace: %v", err)
	}
	err = Run(other(t), exec.Command("false"))
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		t.Errorf("a command that fails: %v", err)
	}
}
