package main

import (
	"fmt"

	"github.com/xrash/smetrics"
)

// usageError is a command line that ibctl does not understand.
type usageError struct {
	problem string
	// candidates are what could have been meant.
	candidates []string
	hint       string
}

// Error implements error.
func (e *usageError) Error() string { return e.problem }

func usagef(format string, args ...any) *usageError {
	return &usageError{problem: fmt.Sprintf(format, args...)}
}

// gotArguments says how many arguments there are.
func gotArguments(n int) string {
	if n == 1 {
		return "got 1 argument"
	}
	return fmt.Sprintf("got %d arguments", n)
}

// nearest returns the candidate that text is most likely a misspelling of, or
// nothing if none is close.
func nearest(text string, candidates []string) string {
	const edits = 2 // one letter wrong or missing, or two swapped
	best, found := min(edits, len(text)-1), ""
	for _, c := range candidates {
		if d := smetrics.WagnerFischer(text, c, 1, 1, 1); d <= best {
			best, found = d-1, c
		}
	}
	return found
}

// didYouMean is the hint for a misspelt word.
func didYouMean(text string, candidates []string) string {
	if s := nearest(text, candidates); s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	return ""
}
