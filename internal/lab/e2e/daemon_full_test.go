package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/soak"
)

// smallRun makes /run/ibctl a file system of its own, with room for a few files.
func smallRun(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll("/run/ibctl", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", "/run/ibctl", "tmpfs", 0, "nr_inodes=64,mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the daemon's end
		if err := unix.Unmount("/run/ibctl", 0); err != nil {
			t.Error(err)
		}
	})
}

// runTrouble is a way in which /run/ibctl cannot be written.
type runTrouble struct {
	words       string
	begin, over func(t *testing.T)
}

var runTroubles = []runTrouble{
	{"no space left on device", fillRun, emptyRun},
	{"read-only file system", remountRun("ro"), remountRun("rw")},
}

func fillRun(t *testing.T) {
	for i := 0; ; i++ {
		f, err := os.Create(fmt.Sprintf("/run/ibctl/filler%d", i))
		if err != nil {
			return // it is full
		}
		_ = f.Close()
	}
}

func emptyRun(t *testing.T) {
	files, _ := filepath.Glob("/run/ibctl/filler*")
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// remountRun makes the mount readable only, or writable. The file system itself cannot be: there are sockets in it that have lost their names.
func remountRun(how string) func(t *testing.T) {
	return func(t *testing.T) { run(t, "mount", "-o", "remount,bind,"+how, "/run/ibctl") }
}

// TestDaemonRunFull: where /run is full, or can only be read, ibctl serve says why it does not start, and nothing of it is left; one that
// runs answers on, nothing is half drained, and a plugin that cannot start is back when there is room. The short form has one of the two.
func TestDaemonRunFull(t *testing.T) {
	oneHCA().Up(t)
	smallRun(t)
	troubles := runTroubles[:soak.Times(1, len(runTroubles))]
	for _, trouble := range troubles {
		trouble.begin(t)
		must(t, 1, "run directory: mkdir /run/ibctl/serve: "+trouble.words, "serve")
		must(t, 1, "lock: mkdir /run/ibctl/drained: "+trouble.words, "dev", "drain", "rxe0")
		must(t, 0, "", "gid", "show", "rxe0") // its plugin makes its socket elsewhere
		trouble.over(t)
	}
	s := serve(t, "clients: [roce, cm]\n")
	s.becomesSame(t, "the start")
	for _, trouble := range troubles {
		trouble.begin(t)
		s.drainsNot(t, trouble.words)
		if soak.On() {
			s.losesPlugin(t, trouble)
			s.becomesSame(t, trouble.words)
		}
		trouble.over(t)
	}
	if soak.On() {
		s.undrainsNot(t)
	}
}

// undrainsNot wants an undrain to fail where the record cannot be removed, and the device to stay drained.
func (s *serving) undrainsNot(t *testing.T) {
	t.Helper()
	must(t, 0, "", "dev", "drain", "rxe0")
	remountRun("ro")(t)
	must(t, 1, "read-only file system", "dev", "undrain", "rxe0")
	if on := s.onDevice(t, "rxe0"); len(on) > 0 {
		t.Errorf("it is drained still, and %q are on it", on)
	}
	must(t, 75, "rxe0 is drained", "gid", "show", "rxe0")
	remountRun("rw")(t)
	must(t, 0, "", "dev", "undrain", "rxe0")
	s.becomesSame(t, "undrain")
}

// drainsNot wants a drain to fail, and the clients back.
func (s *serving) drainsNot(t *testing.T, words string) {
	t.Helper()
	must(t, 1, words, "dev", "drain", "rxe0")
	s.becomesSame(t, words)
	if records, _ := filepath.Glob("/run/ibctl/drained/[0-9.]*"); len(records) > 0 {
		t.Errorf("%s: records are left: %q", words, records)
	}
}

// losesPlugin kills a plugin, which cannot start again before the trouble is over.
func (s *serving) losesPlugin(t *testing.T, trouble runTrouble) {
	t.Helper()
	h, c := s.follow(t), &turmoil{t: t, serving: s}
	waitFor(t, trouble.words, func() bool {
		trouble.begin(t) // the end of a process makes room
		if pid := int(s.clients(t)["roce"].GetPid()); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return slices.ContainsFunc(h.all(), func(e *apiv1.Event) bool {
			return strings.HasPrefix(e.GetKind(), "plugin-") && e.GetClient() == "roce" && strings.Contains(e.GetError(), trouble.words)
		})
	})
	must(t, 0, "", "dev", "list", "--socket", api.Socket)
	if r := ibctl(t, "", "gid", "show", "--socket", api.Socket); r.code != 69 {
		t.Errorf("%s: gid show: %+v", trouble.words, r)
	}
	trouble.over(t)
	waitFor(t, "roce to run", func() bool {
		c.heal() // it may have been tried too often by now
		return s.clients(t)["roce"].GetState() == "running"
	})
}
