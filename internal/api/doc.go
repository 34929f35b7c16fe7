// Package api is what both ends of ibctl serve's socket have in common, and the
// end of those who ask.
//
// The socket is a Unix socket that speaks gRPC: the service of apiv1, and those
// of the clients, which are passed on untouched; see daemon.proto. Who asks is
// told by the kernel (SO_PEERCRED), and what they may do by the methods
// themselves: see [ReadOnly].
package api
