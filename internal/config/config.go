package config

import (
	"time"

	"github.com/ibctl/ibctl/core/rdma"
)

// Path is where the configuration is looked for.
const Path = "/etc/ibctl/ibctl.yaml"

// Config is what the file says. Its zero value is what an empty file says.
type Config struct {
	// Group is the group whose members may read over the socket, beside root;
	// empty for none.
	Group string
	// Clients are those to load, in the order of their Adds. Nil where the file
	// has no such list: then it is for the program to say which.
	Clients []Client
	// CM is for the client cm.
	CM CM
	// Limits bound what waits for a client; zero stands for the program's own.
	Limits Limits
	// Events is how many events are kept for those who ask later.
	Events int
}

// Client is one client.
type Client struct {
	Name string
	// Path of a third party's executable; empty for a client that is built in.
	Path string
	// SHA256 pins what Path holds, in hexadecimal; empty accepts any.
	SHA256 string
	Args   []string
	// Env holds "NAME=value", sorted by name.
	Env []string
	// HostPIDs asks for a process that sees the host's process ids.
	HostPIDs bool
	// Config is handed to the client as it is: JSON, or nil.
	Config []byte
}

// CM is the configuration of the connection manager's client.
type CM struct {
	Defaults []CMDefault
}

// CMDefault is what connections of some ports use unless they say otherwise.
type CMDefault struct {
	// Device is a device's name, or a pattern of names as in path.Match, its node
	// GUID or its PCI address.
	Device string
	// Port is the one meant; unknown for all.
	Port rdma.Opt[uint32]
	// RoCEMode is the kernel's text, "IB/RoCE v1" or "RoCE v2"; empty leaves it.
	RoCEMode string
	// TOS is the octet that becomes the traffic class; unknown leaves it.
	TOS rdma.Opt[uint8]
}

// Limits are the longest times that clients are waited for.
type Limits struct {
	Start, Add, Change, Remove time.Duration
	// Stop is for the end of ibctl serve as a whole.
	Stop time.Duration
}
