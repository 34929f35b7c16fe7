package takedown

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// ChildVerb is what ibctl calls itself with to perform an operation.
const ChildVerb = "__operation"

// IsChild tells whether a process was started to perform an operation.
func IsChild(args []string) bool { return len(args) == 3 && args[1] == ChildVerb }

// answer is what the child says in the end.
type answer struct {
	Failed  bool          `json:"failed"`
	Errno   syscall.Errno `json:"errno"`
	Message string        `json:"message"`
}

// OperationError is the kernel's refusal. It unwraps to the errno.
type OperationError struct {
	Operation Operation
	Message   string
	Errno     syscall.Errno
}

// Error implements error.
func (e *OperationError) Error() string { return e.Operation.String() + ": " + e.Message }

// Unwrap returns the errno, if there is one.
func (e *OperationError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// ServeChild is main in a child: it performs the operation that args describe,
// and prints how that went.
func ServeChild(args []string) int {
	_ = os.WriteFile("/proc/self/comm", []byte("ibctl-operation"), 0)
	var o Operation
	err := json.Unmarshal([]byte(args[2]), &o)
	if err == nil {
		if o.Kind == Move {
			o.NetnsFile = os.NewFile(3, o.Netns)
		}
		err = o.perform(context.Background(), "/sys")
	}
	a := answer{}
	if err != nil {
		a.Failed, a.Message = true, err.Error()
		a.Errno, _ = errors.AsType[syscall.Errno](err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		return 1 // nobody listens any more
	}
	return 0
}

// child is a process that performs an operation. No signal meant for ibctl
// reaches it, and it outlives ibctl: what the kernel has begun it ends.
type child struct {
	operation Operation
	cmd       *exec.Cmd
	out       *os.File
	in        *bufio.Reader // of out
	text      []byte        // read so far: a deadline may come in the middle
}

func startChild(o Operation) (*child, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	cmd := exec.Command("/proc/self/exe", ChildVerb, string(text))
	cmd.Args[0] = "ibctl"
	cmd.Stdout = w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if o.NetnsFile != nil {
		cmd.ExtraFiles = []*os.File{o.NetnsFile}
	}
	if err := cmd.Start(); err != nil {
		_ = out.Close()
		return nil, err
	}
	return &child{operation: o, cmd: cmd, out: out, in: bufio.NewReader(out)}, nil
}

// errNoAnswer says that the child has not answered yet.
var errNoAnswer = errors.New("no answer yet")

// await waits that long for the answer. After any other result than errNoAnswer
// the child has ended.
func (c *child) await(patience time.Duration) error {
	if err := c.out.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	text, err := c.in.ReadBytes('\n')
	c.text = append(c.text, text...)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errNoAnswer
	}
	_ = c.out.Close()
	ended := c.cmd.Wait()
	var a answer
	switch {
	case err != nil && ended != nil:
		return &OperationError{Operation: c.operation, Message: fmt.Sprintf("the process that did it ended: %v", ended)}
	case err != nil:
		return &OperationError{Operation: c.operation, Message: fmt.Sprintf("read the answer: %v", err)}
	case json.Unmarshal(c.text, &a) != nil:
		return &OperationError{Operation: c.operation, Message: fmt.Sprintf("the answer makes no sense: %q", c.text)}
	case a.Failed:
		return &OperationError{c.operation, a.Message, a.Errno}
	}
	return nil
}

// abandon leaves the child to itself.
func (c *child) abandon() {
	_ = c.out.Close()
	_ = c.cmd.Process.Release()
}

// Perform has a child ask the kernel, and waits for the answer until ctx ends or
// limit has passed, telling progress where the kernel is. After that it is a
// [StuckError]. An answer is a [*OperationError] or nil.
func (o Operation) Perform(ctx context.Context, limit time.Duration, progress func(string)) error {
	c, err := startChild(o)
	if err != nil {
		return fmt.Errorf("%v: start the process for it: %w", o, err)
	}
	start := time.Now()
	news := NewNews(progress)
	for {
		err := c.await(pollPause)
		if !errors.Is(err, errNoAnswer) {
			return err
		}
		if ctx.Err() != nil || limit > 0 && time.Since(start) > limit {
			stuck := &StuckError{Operation: o, PID: c.cmd.Process.Pid, Waited: time.Since(start), Where: whereIs(c.cmd.Process.Pid)}
			c.abandon()
			return stuck
		}
		news.Tell(func() string {
			text := o.String() + ": waiting for the kernel"
			if where := whereIs(c.cmd.Process.Pid); len(where) > 0 {
				text += ", which is in " + where.String()
			}
			return text
		})
	}
}
