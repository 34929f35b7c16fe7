// Package subsystem is about what the RDMA subsystem has as a whole, and about the
// settings of its devices: it reads them, changes them, and finds out what stands
// in the way of a change.
package subsystem
