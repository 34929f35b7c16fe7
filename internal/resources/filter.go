package resources

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/internal/nldev"
)

// Filter is a list of conditions that an object must all meet. An object that
// lacks an attribute does not meet a condition on it.
type Filter []Condition

// Condition is what one attribute must be: one of several values, or within one
// of several ranges.
type Condition struct {
	Key    string
	wanted []wanted
}

// wanted is one item of a condition's list.
type wanted struct {
	text        string // in small letters, for path.Match
	isNumber    bool
	first, last uint64
}

// ParseCondition reads a comma list such as "5,0x10-0x1f" or "rts,rtr" for an
// attribute of objects of one kind, or of its driver. Names match in whatever
// case, and may have the wildcards of path.Match.
func ParseCondition(k Kind, key, text string) (Condition, error) {
	c := Condition{Key: key}
	if !slices.Contains(Keys(k), key) && !strings.HasPrefix(key, "drv_") {
		return c, &UnknownKeyError{Kind: k, Key: key}
	}
	for item := range strings.SplitSeq(text, ",") {
		w, err := parseWanted(strings.TrimSpace(item))
		if err == nil && !w.isNumber && isNumeric(key) {
			err = fmt.Errorf("%q: neither a number nor a range", item)
		}
		if err != nil {
			return c, fmt.Errorf("%s=%s: %w", key, text, err)
		}
		c.wanted = append(c.wanted, w)
	}
	return c, nil
}

// UnknownKeyError says that objects of a kind have no such attribute.
type UnknownKeyError struct {
	Kind Kind
	Key  string
}

// Error implements error.
func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("objects of kind %s have no attribute %q", e.Kind, e.Key)
}

// isNumeric tells of the kernel's attributes that they are numbers; those of a
// driver may be either.
func isNumeric(key string) bool { return !IsText(key) && !strings.HasPrefix(key, "drv_") }

func parseWanted(item string) (wanted, error) {
	w := wanted{text: strings.ToLower(item)}
	if item == "" {
		return w, fmt.Errorf("an empty item in the list")
	}
	if _, err := path.Match(w.text, ""); err != nil {
		return w, fmt.Errorf("%q: %w", item, err)
	}
	first, last, isRange := strings.Cut(item, "-")
	if !isRange {
		last = first
	}
	var errFirst, errLast error
	w.first, errFirst = strconv.ParseUint(first, 0, 64)
	w.last, errLast = strconv.ParseUint(last, 0, 64)
	w.isNumber = errFirst == nil && errLast == nil
	if w.isNumber && w.first > w.last {
		return w, fmt.Errorf("%q: the range ends before it begins", item)
	}
	return w, nil
}

// Passes tells whether an object meets all conditions.
func (f Filter) Passes(o Object) bool {
	return !slices.ContainsFunc(f, func(c Condition) bool { return !c.meets(o) })
}

func (c Condition) meets(o Object) bool {
	a, ok := o.Get(c.Key)
	return ok && slices.ContainsFunc(c.wanted, func(w wanted) bool { return w.fits(a) })
}

// fits compares all 64 bits of a number.
func (w wanted) fits(a Attr) bool {
	switch v := a.Value.(type) {
	case uint64:
		return w.isNumber && w.first <= v && v <= w.last
	case int64:
		return w.isNumber && v >= 0 && w.first <= uint64(v) && uint64(v) <= w.last || strconv.FormatInt(v, 10) == w.text
	case []nldev.Range:
		return w.isNumber && slices.ContainsFunc(v, func(r nldev.Range) bool { return uint64(r.First) <= w.last && w.first <= uint64(r.Last) })
	}
	ok, err := path.Match(w.text, strings.ToLower(a.Text()))
	return ok && err == nil
}
