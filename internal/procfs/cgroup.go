package procfs

import (
	"regexp"
	"strings"
	"sync"
)

// Cgroup says whose a process is, as far as its control group has the shape that
// a manager of processes gives it. What is not known is empty.
type Cgroup struct {
	// Path is the control group: that of version 2, or on version 1 that of
	// systemd's own hierarchy, or else the longest.
	Path string
	// Unit is the innermost systemd unit that is not just a container's:
	// "ibacm.service".
	Unit string
	// Pod is the UID of a Kubernetes pod.
	Pod string
	// Container is the id of a container, in full.
	Container string
	// SlurmJob is the number of a Slurm job.
	SlurmJob string
}

// ParseCgroup reads /proc/PID/cgroup (cgroups(7)): lines of "id:controllers:path".
func ParseCgroup(text string) Cgroup {
	var paths []string
	best := ""
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(fields) < 3 {
			continue
		}
		paths = append(paths, fields[2])
		switch unified, own := fields[0] == "0" && fields[1] == "", fields[1] == "name=systemd"; {
		case unified && fields[2] != "/", own && best == "":
			best = fields[2]
		}
	}
	c := Cgroup{Path: best}
	for _, p := range paths {
		if best == "" && len(p) > len(c.Path) {
			c.Path = p
		}
	}
	for _, p := range append([]string{c.Path}, paths...) {
		c.learn(p)
	}
	return c
}

var (
	// podPart is pod<uid>, in systemd's form with underscores in it:
	// kubepods-burstable-pod3c0e5f0e_….slice.
	podPart = pattern(`pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$`)
	// containerPart is an id of 64 digits, bare or as cri-containerd-<id>.scope,
	// crio-<id>.scope, docker-<id>.scope, libpod-<id>.scope.
	containerPart = pattern(`(?:^|[-:])([0-9a-f]{64})(?:\.scope)?$`)
	jobPart       = pattern(`^job_([0-9]+)$`)
)

// pattern returns a way to a pattern that is compiled when it is first asked for:
// most runs of ibctl look at no process.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// unitSuffixes are the units that hold processes and say something: a slice is
// only a branch.
var unitSuffixes = []string{".service", ".scope"}

// learn takes what a path says that is not known yet. The innermost part wins.
func (c *Cgroup) learn(p string) {
	parts := strings.Split(strings.Trim(p, "/"), "/")
	for i := len(parts) - 1; i >= 0; i-- {
		part := parts[i]
		take(&c.Pod, strings.ReplaceAll(submatch(podPart, part), "_", "-"))
		take(&c.Container, submatch(containerPart, part))
		take(&c.SlurmJob, submatch(jobPart, part))
		for _, suffix := range unitSuffixes {
			if strings.HasSuffix(part, suffix) && !containerPart().MatchString(part) {
				take(&c.Unit, unescapeUnit(part))
			}
		}
	}
}

func take(dst *string, value string) {
	if *dst == "" {
		*dst = value
	}
}

func submatch(re func() *regexp.Regexp, text string) string {
	if m := re().FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// unescapeUnit takes off the underscore that systemd puts before a name that
// might be one of the kernel's files (systemd: cg_escape).
func unescapeUnit(name string) string { return strings.TrimPrefix(name, "_") }
