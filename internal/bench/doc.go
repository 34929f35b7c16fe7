// Package bench is what "make bench" measures with and prints. BENCHMARKS.md
// holds the figures.
//
// There are two kinds of measurement, and to add one takes a few lines:
//
//   - Whole programs beside their peers, on a real RDMA kernel: a [Pair] in
//     internal/lab/cmd/pace, which runs in a lab VM.
//   - Everything else is a Go benchmark, next to the code or in this package's
//     tests if it takes the ibctl binary. BENCH in the Makefile lists the packages;
//     command gobench makes a table of what they print.
package bench
