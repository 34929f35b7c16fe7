// Package wire is the language that the lab's host side and the guest's first process speak over a virtio-serial port.
//
// Each direction is a stream of JSON values, one message each. The port carries nothing else: the kernel's log has the serial
// console for itself, so neither can garble the other, and an exit status is a number and not a line to be found in a log.
//
//	guest                           host
//	Hello{kernel}            ─▶
//	                         ◀─     Run{command}
//	Stdout, Stderr           ─▶
//	                         ◀─     Dump (only when the command seems to hang)
//	Exit{status}             ─▶
//	                         ◀─     Bye, and the guest powers off
//
// A guest that fails before it can run anything sends Failed instead of Exit. Either waits for Bye: what the guest has written lies
// in queues of its kernel and of QEMU, and is lost if the machine goes before the host has read it.
package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// PortName is the name of the virtio-serial port, as the guest finds it in /sys/class/virtio-ports/*/name.
const PortName = "ibctl.lab"

// ToGuest is a message from the host. Exactly one field is set.
type ToGuest struct {
	Run  *Command `json:"run,omitempty"`
	Dump bool     `json:"dump,omitempty"` // make the command and the kernel say what they are waiting for
	Bye  bool     `json:"bye,omitempty"`  // everything has arrived
}

// Command is what the guest shall run, once.
type Command struct {
	Args []string `json:"args"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`

	Modules   []string `json:"modules"`    // kernel modules to load first; one that fails is an error
	ModuleDir string   `json:"module_dir"` // the directory that becomes /lib/modules/<release>

	TTY  bool   `json:"tty,omitempty"`  // run on /dev/hvc0, as session leader, instead of with pipes
	Rows uint16 `json:"rows,omitempty"` // size of that terminal
	Cols uint16 `json:"cols,omitempty"`
}

// FromGuest is a message from the guest. Exactly one field is set.
type FromGuest struct {
	Hello  *Hello `json:"hello,omitempty"`
	Stdout []byte `json:"stdout,omitempty"`
	Stderr []byte `json:"stderr,omitempty"`
	Exit   *Exit  `json:"exit,omitempty"`
	Failed string `json:"failed,omitempty"` // the guest could not get as far as the command
}

// Hello says that the guest is up and waits for a command.
type Hello struct {
	Release string `json:"release"` // uname -r
}

// Exit is how the command ended.
type Exit struct {
	Status int    `json:"status"`           // 128 + signal if a signal ended it, as in sh(1)
	Signal string `json:"signal,omitempty"` // the signal's name
}

// Sender writes messages to a stream. It may be used by several goroutines at once; each message arrives whole.
type Sender struct {
	mu  sync.Mutex
	enc *json.Encoder
}

// NewSender returns a Sender that writes to w.
func NewSender(w io.Writer) *Sender {
	return &Sender{enc: json.NewEncoder(w)}
}

// Send writes one message, which is a ToGuest or a FromGuest.
func (s *Sender) Send(message any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enc.Encode(message); err != nil {
		return fmt.Errorf("lab: send to the other side: %w", err)
	}
	return nil
}

// Receive reads messages of type M from r and hands each to handle, until r ends (then it returns nil), r yields something that is
// no message, or handle returns an error.
func Receive[M ToGuest | FromGuest](r io.Reader, handle func(M) error) error {
	dec := json.NewDecoder(r)
	for {
		var m M
		switch err := dec.Decode(&m); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("lab: receive from the other side: %w", err)
		}
		if err := handle(m); err != nil {
			return err
		}
	}
}
