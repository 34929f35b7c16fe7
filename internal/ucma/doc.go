// Package ucma speaks to the kernel's RDMA connection manager through
// /dev/infiniband/rdma_cm, in Go alone: where a connection would go (device,
// port, GIDs, path), asking a remote connection manager for an answer, and
// listening for others who ask.
//
// The layouts are those of include/uapi/rdma/rdma_user_cm.h, ABI version 4; the
// behaviour is that of drivers/infiniband/core/ucma.c and cma.c as seen on 6.1,
// 6.12 and 7.3. Encoding and decoding are pure functions; only channel.go makes
// system calls.
//
// # Glossary
//
//   - channel: an open file on the device. Ids and their events belong to it,
//     and closing it destroys them all.
//   - id: one end of a connection, a listener, or a lookup (struct rdma_cm_id).
//   - uid: our own number for an id, which its events carry. The kernel drops
//     the events of uid 0, so a [Channel] hands them out from 1.
//
// # Which namespace, whose credentials
//
// An id lives in the network namespace of the *thread* that calls
// [Channel.NewID], whatever namespace the channel was opened in: a caller that
// wants another namespace than the process's locks its OS thread and enters it
// first. The kernel compares the caller's credentials with those at open; after
// a setuid or a dropped capability every command fails with EACCES, so open
// channels after the last such change. No privilege is needed, except
// CAP_NET_BIND_SERVICE for ports below 1024.
//
// # Concurrency
//
// Any number of goroutines may use one channel and its ids, and Close may be
// called while they do. [Channel.NextEvent] alone is for one goroutine at a
// time: events come in one queue, and whoever reads it must know what to do
// with each. The package starts no goroutines that outlive a call.
package ucma
