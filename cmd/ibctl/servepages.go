package main

import "golang.org/x/sys/unix"

// useSmallPages keeps transparent huge pages from this process and from those that
// it starts, which inherit it. Where they are given unasked, as many distributions
// have it, ibctl serve and its two clients take a third more memory for pages of
// which they use a part. It is no loss where it fails, nor for verbs that are over
// before it matters.
func useSmallPages() { _ = unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0) }
