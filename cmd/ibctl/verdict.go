package main

// The exit codes of verbs that check something, as monitoring systems want them
// (Nagios plugin guidelines).
const (
	exitOK       = 0
	exitWarning  = 1
	exitCritical = 2
	exitUnknown  = 3
)

// verdict is how a check came out. It is an error for its exit code alone; what
// there is to say of it has been printed. Errors beside it are shown.
type verdict struct {
	code int
	err  error
}

// Error implements error.
func (v verdict) Error() string {
	if v.err == nil {
		return "checked"
	}
	return v.err.Error()
}

// Unwrap lets errors.Is find what went wrong.
func (v verdict) Unwrap() error { return v.err }

// verdictOf returns the verdict of a check that printed its result, and met with
// errors perhaps. What could not be checked is unknown; a warning or worse counts
// more.
func verdictOf(code int, err error) error {
	switch {
	case err == nil && code == exitOK:
		return nil
	case code == exitOK:
		code = exitUnknown
	}
	return verdict{code, err}
}
