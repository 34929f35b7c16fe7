// Package core is the registry of IB clients and devices: which exist, which
// client drives which device, and the order in which they come and go.
//
// It is the user-space counterpart of the kernel's drivers/infiniband/core/device.c
// and keeps the promise that file makes: a client drives a device between Add
// and Remove, Remove is synchronous, and a device is unregistered only after
// every client's Remove has completed. It does no I/O and knows no plugins.
package core
