// Package libenv knows how communication libraries pick HCAs, ports and GIDs by
// their environment variables: NCCL, UCX, Open MPI and libfabric. It does what
// they do with what a host has, and so can say what a setting selects, and write
// settings that select what is wanted.
//
// The rules are those of NCCL 2.21 and newer (src/transport/net_ib, parseStringList
// and matchIfList in src/misc/utils.cc) and of UCX 1.22 (src/uct/ib/base/ib_device.c,
// src/ucp/core/ucp_context.c), as their sources have them.
//
// Everything here is a pure function: it reads neither the environment nor the
// kernel, and may be called by any number of goroutines at once.
package libenv
