package main

import (
	"cmp"
	"strconv"

	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/subsystem"
)

// namespaceName is what people know it by, and the kernel's number otherwise.
func namespaceName(n subsystem.Namespace) string {
	return cmp.Or(n.Name, "net:["+strconv.FormatUint(n.Inode, 10)+"]")
}

// namespaceRow is a line of the list: a process, or the file where there is none.
type namespaceRow struct {
	subsystem.Namespace
	process subsystem.Process
}

func namespaceRows(found []subsystem.Namespace) []namespaceRow {
	var rows []namespaceRow
	for _, n := range found {
		if len(n.Processes) == 0 {
			rows = append(rows, namespaceRow{Namespace: n})
		}
		for _, p := range n.Processes {
			rows = append(rows, namespaceRow{n, p})
		}
	}
	return rows
}

var namespaceColumns = []output.Column[namespaceRow]{
	{Header: "NAMESPACE", Cell: func(r namespaceRow) string { return namespaceName(r.Namespace) }},
	{Header: "PATH", Cell: func(r namespaceRow) string { return r.Path }},
	{Header: "PID", Cell: func(r namespaceRow) string {
		if r.process.PID == 0 {
			return ""
		}
		return strconv.Itoa(r.process.PID)
	}, Right: true},
	{Header: "PROCESS", Cell: func(r namespaceRow) string { return r.process.Comm }},
	{Header: "KEEPS", Cell: func(r namespaceRow) string {
		switch {
		case r.process.PID == 0:
			return "a mount"
		case r.process.Open:
			return "a descriptor"
		}
		return "lives there"
	}},
	{Header: "OWNER", Cell: func(r namespaceRow) string {
		switch p := r.process; {
		case p.Pod != "":
			return "pod " + p.Pod
		case p.SlurmJob != "":
			return "slurm job " + p.SlurmJob
		case p.Container != "":
			return "container " + p.Container[:min(12, len(p.Container))]
		default:
			return p.Unit
		}
	}},
	{Header: "INODE", Cell: func(r namespaceRow) string { return strconv.FormatUint(r.Inode, 10) }, Right: true, Wide: true},
}
