package main

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/resources"
)

// Placeholders of filters, for completion.
const (
	placeholderQPStates = "QP-STATES"
	placeholderCMStates = "CM-STATES"
	placeholderQPTypes  = "QP-TYPES"
	placeholderSRQTypes = "SRQ-TYPES"
)

// resourceWords are the kernel's words, as people type them.
var resourceWords = map[string][]string{
	placeholderQPStates: {"reset", "init", "rtr", "rts", "sqd", "sqe", "err"},
	placeholderCMStates: lower(cmStates()),
	placeholderQPTypes:  {"rc", "uc", "ud", "gsi", "smi", "raw_packet", "xrc_ini", "xrc_tgt", "driver"},
	placeholderSRQTypes: {"basic", "xrc", "tm"},
}

func lower(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ToLower(w)
	}
	return out
}

// whereKeys are what --where takes before the list.
func whereKeys() []string {
	var all []string
	for _, k := range resources.Kinds() {
		for _, key := range resources.Keys(k) {
			if !slices.Contains(all, key+"=") {
				all = append(all, key+"=")
			}
		}
	}
	return all
}

// namedFilter is a flag that stands for a condition on an attribute.
type namedFilter struct{ flag, usage string }

// namedFilters are the conditions that are asked for most; --where has the rest.
var namedFilters = []namedFilter{
	{"number", "only those with a number in `LIST`, such as 5,10-20"},
	{"state", "only those in one of `STATES`"},
	{"type", "only those of one of `TYPES`"},
	{"pid", "only those that a process in `LIST` made"},
	{"comm", "only those of processes called one of `NAMES`; * and ? stand for any letters"},
	{"user", "only those of processes of one of `USERS`"},
}

// key is the attribute that a flag is about.
func (f namedFilter) key(k resources.Kind) string {
	switch {
	case f.flag == "number":
		return k.Number()
	case f.flag == "type" && k == resources.CMID:
		return "qp_type"
	}
	return f.flag
}

// explain names the words that fit a kind.
func (f namedFilter) explain(k resources.Kind) string {
	words := strings.NewReplacer("STATES", placeholderQPStates, "TYPES", placeholderQPTypes)
	switch k {
	case resources.CMID:
		words = strings.NewReplacer("STATES", placeholderCMStates, "TYPES", placeholderQPTypes)
	case resources.SRQ:
		words = strings.NewReplacer("TYPES", placeholderSRQTypes)
	}
	return words.Replace(f.usage)
}

// filterUsages are the names and explanations of the filters of each kind: a batch
// makes flags of them for each of its lines.
var filterUsages = sync.OnceValue(func() map[resources.Kind][]namedFilter {
	usages := map[resources.Kind][]namedFilter{}
	for _, k := range resources.Kinds() {
		for _, f := range namedFilters {
			if hasKey(k, f.key(k)) {
				usages[k] = append(usages[k], namedFilter{f.flag, f.explain(k)})
			}
		}
	}
	return usages
})

func filterFlags(k resources.Kind) []cli.Flag {
	var flags []cli.Flag
	for _, f := range filterUsages()[k] {
		flags = append(flags, &cli.StringFlag{Name: f.flag, Usage: f.usage})
	}
	return append(flags, &cli.GenericFlag{Name: "where", Value: new(wholeTexts), Usage: "only those that meet `KEY=LIST`, for any field of the JSON; may be repeated"})
}

// wholeTexts are the values of a flag that may be repeated, commas and all.
type wholeTexts []string

// Set implements cli.Generic.
func (w *wholeTexts) Set(text string) error { *w = append(*w, text); return nil }

// String implements cli.Generic.
func (w *wholeTexts) String() string { return strings.Join(*w, " ") }

// newFilter reads the flags.
func newFilter(c *cli.Context, k resources.Kind) (resources.Filter, error) {
	var filter resources.Filter
	for _, f := range namedFilters {
		if !c.IsSet(f.flag) {
			continue
		}
		if err := checkStates(f.flag, k, c.String(f.flag)); err != nil {
			return nil, err
		}
		condition, err := resourceCondition("--"+f.flag, k, f.key(k), c.String(f.flag))
		if err != nil {
			return nil, err
		}
		filter = append(filter, condition)
	}
	for _, text := range *c.Generic("where").(*wholeTexts) {
		key, list, found := strings.Cut(text, "=")
		if !found {
			return nil, usagef("--where %s: want KEY=LIST", text)
		}
		condition, err := resourceCondition("--where", k, key, list)
		if err != nil {
			return nil, err
		}
		filter = append(filter, condition)
	}
	return filter, nil
}

// checkStates refuses a state that no object can be in, which would find nothing.
// What has wildcards, or is a number that ibctl has no name for, may find something.
func checkStates(flag string, k resources.Kind, list string) error {
	if flag != "state" {
		return nil
	}
	known := resourceWords[placeholderQPStates]
	if k == resources.CMID {
		known = resourceWords[placeholderCMStates]
	}
	for word := range strings.SplitSeq(strings.ToLower(list), ",") {
		word = strings.TrimSpace(word)
		if word != "" && !strings.ContainsAny(word, `*?[\(`) && !slices.Contains(known, word) {
			return &usageError{problem: "--state " + list + ": there is no state " + word, candidates: known}
		}
	}
	return nil
}

func resourceCondition(flag string, k resources.Kind, key, list string) (resources.Condition, error) {
	condition, err := resources.ParseCondition(k, key, list)
	if unknown, ok := errors.AsType[*resources.UnknownKeyError](err); ok {
		return condition, &usageError{problem: flag + ": " + unknown.Error(), candidates: resources.Keys(k)}
	}
	if err != nil {
		return condition, usagef("%s: %v", flag, err)
	}
	return condition, nil
}
