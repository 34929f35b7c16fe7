package live

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Place is a way into a network namespace. It holds nothing: the namespace may
// be gone when it is used.
type Place struct {
	ID   uint64 // inode number in nsfs
	Name string // see netstate.Namespace
	Path string
}

// Places finds the network namespaces, the calling thread's own first. partial
// tells that there may be some that this process cannot see.
func Places() (places []Place, partial bool, err error) {
	f := finder{seen: map[uint64]bool{}}
	if err := f.add(ownPath, ""); err != nil {
		return nil, false, fmt.Errorf("find own network namespace: %w", err)
	}
	f.mounted()
	f.processes()
	return f.places, f.partial, nil
}

// ownPath leads to the namespace of the calling thread: that of the process's
// first thread may be another.
const ownPath = "/proc/thread-self/ns/net"

type finder struct {
	places  []Place
	seen    map[uint64]bool
	partial bool
}

// add notes the namespace that a file stands for, unless it is known.
func (f *finder) add(path, name string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	if !f.seen[st.Ino] {
		f.seen[st.Ino] = true
		f.places = append(f.places, Place{st.Ino, name, path})
	}
	return nil
}

// mounted finds namespaces that are mounted somewhere: fields 4 and 5 of
// mountinfo are "net:[INODE]" and the mount point (proc(5)).
func (f *finder) mounted() {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		f.partial = true
		return
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 5 || !strings.HasPrefix(fields[3], "net:[") {
			continue
		}
		path := unescape(fields[4])
		if err := f.add(path, filepath.Base(path)); err != nil {
			f.partial = true
		}
	}
}

// unescape undoes mountinfo's \040 for a blank, and the like.
func unescape(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		if code, err := strconv.ParseUint(text[min(1, len(text)):min(4, len(text))], 8, 8); text[0] == '\\' && err == nil {
			b.WriteByte(byte(code))
			text = text[4:]
			continue
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}

// processes finds the namespaces of processes. One that has ended meanwhile hides
// nothing.
func (f *finder) processes() {
	dir, err := os.Open("/proc")
	if err != nil {
		f.partial = true
		return
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	f.partial = f.partial || err != nil
	for _, pid := range names {
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		if err := f.process(pid); errors.Is(err, fs.ErrPermission) {
			f.partial = true
		}
	}
}

func (f *finder) process(pid string) error {
	path := "/proc/" + pid + "/ns/net"
	before := len(f.places)
	if err := f.add(path, "pid "+pid); err != nil || len(f.places) == before {
		return err
	}
	if comm, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil {
		f.places[before].Name += " (" + strings.TrimSpace(string(comm)) + ")"
	}
	return nil
}

// In runs do with its thread in the namespace. What do starts goroutines for is
// elsewhere. It refuses with an error of kind fs.ErrNotExist if the namespace is
// gone.
func (p Place) In(do func() error) error {
	ns, err := p.open()
	if err != nil {
		return err
	}
	defer unix.Close(ns)
	return inNamespace(ns, do)
}

// inNamespace runs do on a thread that is in a namespace meanwhile.
func inNamespace(ns int, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- onOwnThread(ns, do) }()
	return <-done
}

// onOwnThread gives its thread back only once that is where it was before: a
// locked thread ends with its goroutine.
func onOwnThread(ns int, do func() error) error {
	runtime.LockOSThread()
	home, err := unix.Open(ownPath, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open own network namespace: %w", err)
	}
	defer unix.Close(home)
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread() // it never left
		return fmt.Errorf("enter network namespace: %w", err)
	}
	err = do()
	if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, fmt.Errorf("return to own network namespace: %w", back))
	}
	runtime.UnlockOSThread()
	return err
}

// open returns a descriptor of the namespace, and of no other: pids are reused.
func (p Place) open() (int, error) {
	fd, err := unix.Open(p.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: p.Path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != p.ID {
		unix.Close(fd)
		return -1, &fs.PathError{Op: "open", Path: p.Path, Err: fs.ErrNotExist}
	}
	return fd, nil
}
