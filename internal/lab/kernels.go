package lab

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/ibctl/ibctl/internal/lab/depot"
)

// atOnce is how many of n kernels run at the same time, and how many processors each of them has. A guest keeps little more than one
// busy. Guests that share processors are no gain: with three on two, tests took three times as long with one processor each, and
// ten times with two, of which one waits for a lock that the other would give back if it were running.
func atOnce(n, processors int) (guests, each int) {
	guests = min(n, max(1, processors-1))
	if set, err := strconv.Atoi(os.Getenv(EnvVMs)); err == nil && set > 0 {
		guests = min(n, set)
	}
	return guests, min(2, max(1, processors/guests))
}

// runKernels calls run for each kernel, for so many at once, and returns what it returned, in the kernels' order. What run prints
// comes out kernel by kernel, that of the first one whose turn it is as it is printed.
func runKernels(series []depot.Series, atOnce int, w io.Writer, run func(k depot.Series, out io.Writer) outcome) []outcome {
	outs, results := make([]*queued, len(series)), make([]chan outcome, len(series))
	next := make(chan int, len(series))
	for i := range series {
		outs[i], results[i] = &queued{w: w}, make(chan outcome, 1)
		next <- i
	}
	close(next)
	var workers sync.WaitGroup
	defer workers.Wait()
	for range atOnce {
		workers.Go(func() {
			for i := range next {
				results[i] <- run(series[i], outs[i])
			}
		})
	}
	all := make([]outcome, len(series))
	for i := range series {
		outs[i].release()
		all[i] = <-results[i]
	}
	return all
}

// queued keeps what is written until it is released, and passes it on from then on. It may be used by several goroutines.
type queued struct {
	w io.Writer

	mu       sync.Mutex
	released bool
	kept     bytes.Buffer
}

// Write implements io.Writer.
func (q *queued) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.released {
		return q.w.Write(p)
	}
	return q.kept.Write(p)
}

func (q *queued) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.released = true
	q.kept.WriteTo(q.w) //nolint:errcheck // the same error comes with the next line
}
