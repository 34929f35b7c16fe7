// Package e2e holds the tests of the whole project that need a real RDMA kernel. They run inside the lab's VMs, once on each kernel,
// and see the kernel as ibctl sees it on a production host. All of them share one boot per kernel: each removes what it makes, and
// none is parallel.
package e2e
