package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// socket is what the daemon listens on.
type socket struct {
	*net.UnixListener
	own    string // where callers find it; empty if somebody else made it
	hidden string // its other name, which is only ours
	gid    int    // whose members may read; -1 for nobody's
	mode   fs.FileMode
}

// listen makes the socket, or takes the one that was made. Either way it is for
// root, and the group if there is one.
func listen(opts Options, dir *runDir, group string) (*socket, error) {
	s := &socket{UnixListener: opts.Listener, gid: -1, mode: 0o600}
	if group != "" {
		gid, err := groupID(group)
		if err != nil {
			return nil, err
		}
		s.gid, s.mode = gid, 0o660
	}
	if s.UnixListener != nil {
		return s, s.protect(s.Addr().String())
	}
	if err := s.make(dir.join("socket"), opts.Socket); err != nil {
		return nil, err
	}
	return s, nil
}

// make binds the socket where nobody else gets at it, and gives it its place when
// it is protected. One that is left over there is replaced.
func (s *socket) make(hidden, path string) error {
	if err := os.Remove(hidden); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: hidden, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	s.UnixListener = l
	if err := s.protect(hidden); err != nil {
		_ = l.Close()
		return err
	}
	s.hidden, s.own = hidden, path
	if err := s.publish(); err != nil {
		s.close()
		return err
	}
	return nil
}

// publish gives the socket its place. A command that ran before may have made the
// directory for itself alone; the group must get through.
func (s *socket) publish() error {
	dir := filepath.Dir(s.own)
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); s.gid >= 0 && mode&0o011 != 0o011 {
		if err := os.Chmod(dir, mode|0o011); err != nil {
			return err
		}
	}
	link := s.hidden + ".new"
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(s.hidden, link); err != nil {
		return err
	}
	return os.Rename(link, s.own)
}

// isPublished tells whether callers find the socket in its place.
func (s *socket) isPublished() bool {
	ours, err := os.Lstat(s.hidden)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	there, err := os.Lstat(s.own)
	return err == nil && os.SameFile(ours, there)
}

// isNameless tells whether somebody has removed our own name of the socket.
func (s *socket) isNameless() bool {
	_, err := os.Lstat(s.hidden)
	return errors.Is(err, fs.ErrNotExist)
}

// renew makes another socket instead of one that nobody can find any more. The old
// one is for those who are connected; it ends with the server.
func (s *socket) renew(serve func(net.Listener)) error {
	again := &socket{gid: s.gid, mode: s.mode}
	if err := again.make(s.hidden, s.own); err != nil {
		return err
	}
	s.UnixListener = again.UnixListener
	serve(s.UnixListener)
	return nil
}

// protect says who may connect. An abstract socket has nothing to protect.
func (s *socket) protect(path string) error {
	if path == "" || path[0] == '@' {
		return nil
	}
	if s.gid >= 0 {
		if err := os.Chown(path, -1, s.gid); err != nil {
			return err
		}
	}
	return os.Chmod(path, s.mode)
}

func (s *socket) close() {
	_ = s.Close()
	for _, name := range []string{s.own, s.hidden} {
		if name != "" {
			_ = os.Remove(name)
		}
	}
}

// groupID finds a group by name or number.
func groupID(group string) (int, error) {
	if g, err := user.LookupGroup(group); err == nil {
		return strconv.Atoi(g.Gid)
	}
	gid, err := strconv.ParseUint(group, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("group %q of the configuration: no such group", group)
	}
	return int(gid), nil
}
