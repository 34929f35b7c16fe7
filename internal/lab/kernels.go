package lab

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"

	"github.com/ibctl/ibctl/internal/lab/depot"
	"github.com/ibctl/ibctl/internal/lab/vm"
)

// atOnce is how many kernels run at the same time. Guests that share processors are no gain: with three of them on two, the first
// test took ten times as long.
func atOnce() int {
	if n, err := strconv.Atoi(os.Getenv(EnvVMs)); err == nil && n > 0 {
		return n
	}
	return max(1, runtime.NumCPU()/vm.Processors)
}

// runKernels calls run for each kernel, for so many at once, and tells whether all returned true. What run prints comes out kernel by
// kernel, that of the first one whose turn it is as it is printed.
func runKernels(series []depot.Series, atOnce int, w io.Writer, run func(k depot.Series, out io.Writer) bool) bool {
	outs, results := make([]*queued, len(series)), make([]chan bool, len(series))
	next := make(chan int, len(series))
	for i := range series {
		outs[i], results[i] = &queued{w: w}, make(chan bool, 1)
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
	passed := true
	for i := range series {
		outs[i].release()
		passed = <-results[i] && passed
	}
	return passed
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
