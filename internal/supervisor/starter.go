package supervisor

import (
	"os"
	"runtime"
)

// starter starts processes from one thread that lives as long as they do: the
// kernel sends the parent-death signal when the *thread* that forked ends, and
// Go ends threads when it likes (go.dev/issue/27505).
type starter struct {
	requests chan startRequest
	done     chan struct{}
}

type startRequest struct {
	path   string
	argv   []string
	attr   *os.ProcAttr
	result chan<- startResult
}

type startResult struct {
	process *os.Process
	err     error
}

func newStarter() *starter {
	s := &starter{requests: make(chan startRequest), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *starter) run() {
	defer close(s.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for r := range s.requests {
		p, err := os.StartProcess(r.path, r.argv, r.attr)
		r.result <- startResult{p, err}
	}
}

// start must not be called after close.
func (s *starter) start(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	result := make(chan startResult, 1)
	s.requests <- startRequest{path, argv, attr, result}
	r := <-result
	return r.process, r.err
}

// close ends the thread's duty. Every process it started must be dead.
func (s *starter) close() {
	close(s.requests)
	<-s.done
}
