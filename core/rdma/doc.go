// Package rdma holds the value types that the rest of ibctl speaks in: devices,
// ports, GIDs and the numbers and texts the kernel uses for them. It does no
// I/O; the rooms that read the kernel fill these types, and everything else
// reads them.
//
// # Glossary
//
//   - device: an IB device (HCA) as the kernel registers it, whatever its
//     protocol: InfiniBand, RoCE, iWARP, OPA.
//   - port: a numbered port of a device, from 1.
//   - GID: the 128-bit address of a port; the kernel keeps them in a table per
//     port, which has holes.
//   - netdev: the network interface behind a port, where there is one.
//   - unknown: a value the kernel did not give. It is an [Opt] that is not set
//     or an empty text, and it is never written as zero.
//
// All types are plain values: copies may be used by any number of goroutines
// at once, and nothing here locks.
package rdma
