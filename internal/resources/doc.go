// Package resources lists the verbs objects of RDMA devices, with all that the
// kernel tells of each and whose they are. It opens no device.
//
// # Glossary
//
//   - object: a queue pair, a completion queue, a memory region and so on
//     (drivers/infiniband/core/restrack.c). Its [Kind] is the kernel's word.
//   - attribute: one fact about an object, under the name that iproute2's rdma -j
//     has for it, in snake_case. What the kernel did not say is no attribute.
//   - owner: the process that made the object. The kernel names a thread of it;
//     whoever inherited the object is not told.
//
// # What is not told
//
//   - The owner of an object whose maker has ended, or is outside this PID
//     namespace.
//   - Keys, without CAP_NET_ADMIN.
//   - Objects that a process makes with its driver's own commands (mlx5 DEVX);
//     those that the driver makes for itself are listed on demand.
package resources
