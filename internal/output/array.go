package output

// Array writes objects one by one as a JSON array, a line for each, as rdma -j
// monitor does; unlike that, it ends. One goroutine uses it.
type Array struct {
	p    Printer
	some bool
}

// NewArray returns an Array on p.Out. Nothing is written before the first object.
func NewArray(p Printer) *Array { return &Array{p: p} }

// Add writes one more object. An error is a [WriteError] unless the object has a
// value that JSON has no word for.
func (a *Array) Add(o Object) error {
	text, err := encodeJSON(o, "")
	if err != nil {
		return err
	}
	before := byte('[')
	if a.some {
		before = ','
	}
	a.some = true
	return a.write(append([]byte{before}, text...))
}

// Close ends the array.
func (a *Array) Close() error {
	if !a.some {
		return a.write([]byte("[]\n"))
	}
	return a.write([]byte("]\n"))
}

func (a *Array) write(text []byte) error {
	if _, err := a.p.Out.Write(text); err != nil {
		return &WriteError{err}
	}
	return nil
}
