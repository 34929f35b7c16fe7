// Package configfs reads and sets the defaults that the RDMA connection manager
// keeps for a port, through the configfs tree rdma_cm
// (drivers/infiniband/core/cma_configfs.c):
//
//	/sys/kernel/config/rdma_cm/DEVICE/ports/N/default_roce_mode
//	/sys/kernel/config/rdma_cm/DEVICE/ports/N/default_roce_tos
//
// # What is peculiar about it
//
// DEVICE is a directory that a reader must make first, which takes root, even to
// read, and which keeps the module loaded until it is removed. It is only a
// name: each access looks for the device that has it at that moment, in all
// network namespaces. Somebody else may have made the directory, and it may go
// while we use it. So a directory is kept for one piece of work, and removed
// only by whoever made it.
//
// The values belong to the device. They outlive the directory, a rename and the
// netdev's being down, and are lost when the device is unregistered.
//
// # Concurrency
//
// A [Tree] is a value that any number of goroutines may use; a [Device] is for
// one at a time.
package configfs
