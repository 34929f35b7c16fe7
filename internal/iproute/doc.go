// Package iproute asks the kernel's routing tables where a packet to an address
// would go, and finds out which entry and which rule decided it. It sees the
// network namespace of the calling thread, and changes nothing.
//
// Its functions may be called by any number of goroutines at once.
package iproute
