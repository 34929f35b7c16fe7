package sysfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dir is an open directory. Files are read relative to it, which spares the
// kernel the walk down from the root, and us a race: if the directory is
// removed and made anew under the same name, this one stays empty.
type dir struct {
	fd       int
	confined bool // of a copied tree
	regular  bool // all that it holds are regular files
}

// maxFile is how much of a file is read: sysfs files hold a page at most.
const maxFile = 4096

const openFile = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOFOLLOW

func (d dir) close() { unix.Close(d.fd) }

// sub opens a directory below d. No part of sysfs that this is used for is a link.
func (d dir) sub(name string) (dir, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	return dir{fd: fd, confined: d.confined}, err
}

// read returns the text of a file without the white space around it. The result
// lies in buf.
func (d dir) read(name string, buf []byte) ([]byte, error) {
	if d.confined && !d.regular {
		if err := d.checkRegular(name); err != nil {
			return nil, err
		}
	}
	fd, err := unix.Openat(d.fd, name, openFile, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return readText(fd, buf)
}

func (d dir) checkRegular(name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errNotRegular
	}
	return nil
}

func readText(fd int, buf []byte) ([]byte, error) {
	for {
		n, err := unix.Read(fd, buf)
		if err == nil {
			return bytes.TrimSpace(buf[:n]), nil
		}
		if err != unix.EINTR {
			return nil, err
		}
	}
}

// readSlot is read for the numbered files of a table, of which there may be
// thousands: it allocates nothing, and does not tell Go's scheduler of its system
// calls, which would take the processor away from a call that is not over within
// 20 µs, and give it back later. These calls do not wait: the kernel answers from
// its GID cache (rdma_query_gid in drivers/infiniband/core/cache.c), not from the
// device.
func (d dir) readSlot(slot int, buf []byte) ([]byte, error) {
	if d.confined {
		return d.read(strconv.Itoa(slot), buf)
	}
	var name [20]byte // a decimal int and a NUL
	strconv.AppendInt(name[:0], int64(slot), 10)
	fd, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(d.fd), uintptr(unsafe.Pointer(&name[0])), openFile, 0, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	n, errno := rawRead(fd, buf)
	unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return bytes.TrimSpace(buf[:n]), nil
}

func rawRead(fd uintptr, buf []byte) (n uintptr, errno unix.Errno) {
	for {
		n, _, errno = unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)))
		if errno != unix.EINTR {
			return n, errno
		}
	}
}

// readlink returns the text of a link; "" if name is no link or not there.
func (d dir) readlink(name string) string {
	buf := make([]byte, maxFile)
	n, err := unix.Readlinkat(d.fd, name, buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// exists tells whether there is a file or directory of that name.
func (d dir) exists(name string) bool {
	return unix.Faccessat(d.fd, name, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// alive tells whether a device's directory still belongs to one: a removed one
// is empty. A copied tree is never removed, and may lack anything.
func (d dir) alive() bool { return d.confined || d.exists("ports") && d.exists("node_guid") }

// names lists the directory in no order, and notes whether all that it holds are
// regular files. It may be called once.
func (d *dir) names() ([]string, error) {
	var names []string
	buf := make([]byte, 4*maxFile)
	d.regular = true
	for {
		n, err := unix.ReadDirent(d.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			d.regular = d.regular && err == nil
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
		d.regular = d.regular && onlyRegular(buf[:n])
	}
}

// onlyRegular tells whether the entries that getdents64(2) has written, apart from
// the directory and the one above, are regular files. A file system that tells no
// types has none.
func onlyRegular(entries []byte) bool {
	const size, kind, name = 16, 18, 19 // d_reclen, d_type and d_name of struct linux_dirent64
	for len(entries) > name {
		next := int(binary.NativeEndian.Uint16(entries[size:]))
		if next <= name || next > len(entries) {
			return false
		}
		itself := bytes.HasPrefix(entries[name:next], []byte(".\x00")) || bytes.HasPrefix(entries[name:next], []byte("..\x00"))
		if entries[kind] != unix.DT_REG && !itself {
			return false
		}
		entries = entries[next:]
	}
	return true
}

// withoutPath takes the file name off an error: warnings name the file themselves.
func withoutPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
