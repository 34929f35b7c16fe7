package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// maxSize is more than any configuration needs, in octets.
const maxSize = 1 << 20

// Load reads the file at path; builtin names the clients that need none. A file
// that does not exist is fs.ErrNotExist, one that may not be believed ErrRefused,
// one that makes no sense an [*Error].
func Load(path string, builtin []string) (Config, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return Config{}, err
	}
	defer f.Close()
	// What is checked is the open file: the path may be another one by now.
	if err := check(f); err != nil {
		return Config{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	switch {
	case err != nil:
		return Config{}, err
	case len(text) > maxSize:
		return Config{}, fmt.Errorf("%s: longer than %d octets", path, maxSize)
	}
	conf, problems := Parse(text, builtin)
	if len(problems) > 0 {
		return Config{}, &Error{Path: path, Problems: problems}
	}
	return conf, nil
}

// LoadDefault reads the file at Path, and takes its absence for an empty one.
func LoadDefault(builtin []string) (Config, error) {
	conf, err := Load(Path, builtin)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, nil
	}
	return conf, err
}

func check(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &os.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	if why := distrust(&st, uint32(os.Geteuid())); why != "" {
		return fmt.Errorf("%w: %s %s", ErrRefused, f.Name(), why)
	}
	return nil
}

// distrust returns why the file may not be believed, or nothing. Root believes
// root alone; a user may believe themselves too.
func distrust(st *unix.Stat_t, euid uint32) string {
	switch mode := st.Mode; {
	case mode&unix.S_IFMT != unix.S_IFREG:
		return "is not a regular file"
	case st.Uid != 0 && st.Uid != euid:
		return fmt.Sprintf("is owned by user %d", st.Uid)
	case mode&0o022 != 0:
		return fmt.Sprintf("may be written by group or others (mode %04o)", mode&0o7777)
	}
	return ""
}
