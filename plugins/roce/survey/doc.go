// Package survey reads at one moment what the rules of package gidrules are to
// be held against: the netdevs of all network namespaces, which of them is behind
// each port, and the tables of some ports. Nothing that it opens stays open.
//
// The kernel works off its events one after the other, in its own time. A survey
// is taken again until two in a row are equal, so that it is not of a moment in
// between; see [Settled].
package survey
