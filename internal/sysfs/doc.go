// Package sysfs reads what the kernel says of RDMA devices in
// /sys/class/infiniband (drivers/infiniband/core/sysfs.c), of this host or in a
// tree that was copied from another.
//
// One unreadable or nonsensical file costs its own value and leaves an
// [rdma.Warning]; a file that is not there costs its value alone, because
// drivers and kernels differ in what they offer. No method changes anything but
// [FS.SetNodeDesc], and none opens a character device. All may be called by any
// number of goroutines at once.
//
// # A tree that is not ours
//
// A copied tree ([Open]) can hold anything: links that lead out of it, pipes,
// device nodes. Its files are read only where they are regular files inside the
// tree. The kernel's own tree ([Live]) is read with as few system calls as will
// do.
package sysfs
