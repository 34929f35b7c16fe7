// Package procfs reads what the kernel says of processes in /proc: who they are,
// whose they are, what they have open, and where in the kernel they wait.
//
// It knows processes and nothing of RDMA. No method changes anything, none opens
// what a process has open, and none follows a path into a file system that may
// not answer. All may be called by any number of goroutines at once.
//
// # What /proc does not say
//
//   - Without root, the descriptors of other users' processes are hidden, which
//     is [fs.ErrPermission] and never an empty list.
//   - From within a PID namespace, processes outside it do not exist; see
//     [FS.WholeHost].
//   - A file that is only mapped, or on its way through a Unix socket, is no
//     descriptor and in no list.
//   - A pid is reused once the process is gone. [Process.Started] tells two of
//     the same number apart.
package procfs
