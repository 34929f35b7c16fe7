package supervisor

import (
	"github.com/ibctl/ibctl/core/plugin"
)

// Spec says which plugin to start, and how.
type Spec struct {
	// Name of the client; the plugin must answer to it.
	Name string
	// Path of an executable. Empty means the client of that name that is built
	// into ibctl.
	Path string
	// Args are given to the executable after argv[0].
	Args []string
	// SHA256 pins the executable's contents, in hexadecimal. Empty accepts any.
	SHA256 string
	// Env holds "NAME=value" in addition to what every plugin gets. Nothing is
	// inherited from ibctl.
	Env []string
	// Config is handed to the plugin as it is: JSON, or empty.
	Config []byte
	// HostPIDs asks for a process that sees the host's process ids, as it must to
	// learn from the kernel who owns an object: nldev gives pids as the asker's PID
	// namespace sees them.
	HostPIDs bool
}

// Builtin returns the Spec of a client that the ibctl binary itself serves.
func Builtin(name string) Spec { return Spec{Name: name} }

// command returns what to execute. For an executable that includes checking it;
// the file that was checked is the one that runs.
func (s Spec) command() (command, error) {
	if s.Path == "" {
		// Not os.Executable, which is a path: after an upgrade another file is
		// there. This is the image that runs.
		return command{path: "/proc/self/exe", argv: plugin.ServeArgs(s.Name)}, nil
	}
	file, err := openExecutable(s.Path, s.SHA256)
	if err != nil {
		return command{}, err
	}
	return executableCommand(file, s.Args), nil
}
