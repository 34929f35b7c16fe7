package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// openExecutable opens a third party's plugin and makes sure that it is one to
// be run. All that is checked is checked on the open file, and that file is what
// is executed later, whatever happens to the path meanwhile. What is found wrong
// is an ErrRefused with the reason.
func openExecutable(path, sum string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, refusal(path, "is a symbolic link")
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	if err := checkExecutable(f, sum); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func checkExecutable(f *os.File, sum string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &os.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	if why := refuseStat(&st, uint32(os.Geteuid())); why != "" {
		return refusal(f.Name(), why)
	}
	// An exec that raises privileges clears the parent-death signal.
	if n, err := unix.Fgetxattr(int(f.Fd()), "security.capability", nil); err == nil && n > 0 {
		return refusal(f.Name(), "has file capabilities")
	}
	if sum == "" {
		return nil
	}
	return checkSum(f, sum)
}

// refuseStat returns what is wrong with the file, or nothing. Root runs what root
// alone can write; a user may run their own files too.
func refuseStat(st *unix.Stat_t, euid uint32) string {
	switch mode := st.Mode; {
	case mode&unix.S_IFMT != unix.S_IFREG:
		return "is not a regular file"
	case st.Uid != 0 && st.Uid != euid:
		return fmt.Sprintf("is owned by user %d", st.Uid)
	case mode&0o022 != 0:
		return fmt.Sprintf("may be written by group or others (mode %04o)", mode&0o7777)
	case mode&(unix.S_ISUID|unix.S_ISGID) != 0:
		return fmt.Sprintf("is setuid or setgid (mode %04o)", mode&0o7777)
	case mode&0o111 == 0:
		return fmt.Sprintf("is not executable (mode %04o)", mode&0o7777)
	}
	return ""
}

func checkSum(f *os.File, want string) error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, 1<<40)); err != nil {
		return fmt.Errorf("checksum of %s: %w", f.Name(), err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, want) {
		return refusal(f.Name(), fmt.Sprintf("has SHA-256 %s, not %s", got, want))
	}
	return nil
}

func refusal(path, why string) error { return fmt.Errorf("%w: %s %s", ErrRefused, path, why) }

// executableCommand executes an open file. It is handed to the child as
// descriptor 3, so that no other descriptor of the fork can take its number, and
// a script's interpreter can open it.
func executableCommand(f *os.File, args []string) command {
	return command{
		path:  "/proc/self/fd/3",
		argv:  slices.Concat([]string{f.Name()}, args),
		extra: []*os.File{f},
	}
}
