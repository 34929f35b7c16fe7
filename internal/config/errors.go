package config

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRefused means that the file may not be believed: it is not root's, or others
// may write it.
var ErrRefused = errors.New("configuration refused")

// Problem is one thing that is wrong with a file.
type Problem struct {
	// Line counts from 1; 0 where the problem is not in one place.
	Line int
	// Key says where in the structure: "clients[1].sha256". Empty at the top.
	Key  string
	Text string
}

// String returns "line 7: clients[1].sha256: not 64 hexadecimal digits".
func (p Problem) String() string {
	var parts []string
	if p.Line > 0 {
		parts = append(parts, fmt.Sprintf("line %d", p.Line))
	}
	if p.Key != "" {
		parts = append(parts, p.Key)
	}
	return strings.Join(append(parts, p.Text), ": ")
}

// Error is a file that makes no sense, with all that is wrong with it, by line.
type Error struct {
	Path     string
	Problems []Problem
}

// Error implements error: a line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.Path + ": " + p.String()
	}
	return strings.Join(lines, "\n")
}
