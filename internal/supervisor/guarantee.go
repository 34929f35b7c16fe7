package supervisor

// Guarantee says how far the death of a plugin's process tree can be proven, and
// what happens to the tree when ibctl itself is killed. In all of them the
// plugin's own process gets SIGKILL when ibctl dies (PR_SET_PDEATHSIG).
type Guarantee int

const (
	// GuaranteeUnknown is that of a plugin that does not run.
	GuaranteeUnknown Guarantee = iota
	// GuaranteePIDNamespace: the plugin is the first process of a PID namespace.
	// When it has been waited for, all processes of the namespace are gone; the
	// kernel promises it (pid_namespaces(7); Linux commit c1c366c95ed1).
	GuaranteePIDNamespace
	// GuaranteeChildless: the process cannot start others (seccomp), so it is its
	// whole tree. Only for ibctl's own clients.
	GuaranteeChildless
	// GuaranteeCgroup: the tree lives in a control group of its own, is killed by
	// cgroup.kill and is gone when the group is unpopulated.
	GuaranteeCgroup
	// GuaranteeProcessGroup: the tree is the plugin's process group.
	GuaranteeProcessGroup
)

// String returns the short name that ibctl client list shows.
func (g Guarantee) String() string {
	switch g {
	case GuaranteePIDNamespace:
		return "pid-namespace"
	case GuaranteeChildless:
		return "childless"
	case GuaranteeCgroup:
		return "cgroup"
	case GuaranteeProcessGroup:
		return "process-group"
	}
	return "unknown"
}

// MarshalText implements encoding.TextMarshaler.
func (g Guarantee) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// Lost says in a sentence what this level does not guarantee; empty where
// nothing is lost.
func (g Guarantee) Lost() string {
	switch g {
	case GuaranteeCgroup:
		return "if ibctl is killed, processes that the plugin started live on until ibctl starts again"
	case GuaranteeProcessGroup:
		return "a process that the plugin started and that left its process group (setsid) can outlive it and keep a device in use"
	}
	return ""
}
