// Package schematest holds what ibctl prints in tests against the schemas of its
// kinds: one function for every way in which tests run ibctl, so that none can
// forget to. It is for tests alone.
package schematest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/ibctl/ibctl/internal/output"
)

// Check holds what ibctl printed against the schemas, where args, without the
// program's name, ask for JSON or YAML, and says which kinds of documents there
// were. An error has the text in it that is wrong. It may be called by any number
// of goroutines at once.
func Check(args []string, stdout, stderr string) (kinds []string, err error) {
	format, words := understand(args)
	if !format.Structured() || printsText(args, words) {
		return nil, nil
	}
	c := checker{}
	switch format {
	case output.JSON:
		err = c.documents(stdout)
	case output.YAML:
		err = c.yaml(stdout)
	case output.JSONL:
		err = c.items(words, stdout)
	}
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, `{"apiVersion"`) { // and no line of a log
			err = errors.Join(err, c.documents(line))
		}
	}
	if err != nil {
		err = fmt.Errorf("ibctl %s: %w", strings.Join(args, " "), err)
	}
	return c.kinds, err
}

// understand finds the format, and the words that are no options.
func understand(args []string) (format output.Format, words []string) {
	for i := 0; i < len(args); i++ {
		word := args[i]
		switch {
		case word == "--":
			return format, append(words, args[i+1:]...)
		case word == "--json", strings.HasPrefix(word, "-j"):
			return output.JSON, append(words, args[i+1:]...)
		case (word == "-o" || word == "--output") && i+1 < len(args):
			i++
			format = output.Format(args[i])
		case strings.HasPrefix(word, "--output="), strings.HasPrefix(word, "-o"):
			format = output.Format(strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(word, "--output"), "-o"), "="))
		case word == "--root" || word == "--socket" || word == "--timeout":
			i++
		case !strings.HasPrefix(word, "-"):
			words = append(words, word)
		}
	}
	return format, words
}

// printsText tells of what prints no document whatever the format: help, completion,
// a schema, a log.
func printsText(args, words []string) bool {
	switch {
	case slices.Contains(args, "--help"), slices.Contains(args, "-h"), slices.Contains(words, "help"):
		return true
	case len(words) == 0:
		return false
	case words[0] == "schema":
		return len(words) > 1
	}
	return slices.Contains([]string{"completion", "serve", "__complete"}, words[0])
}

// checker collects the kinds that it has seen.
type checker struct{ kinds []string }

// documents checks documents one after the other: a batch prints several.
func (c *checker) documents(text string) error {
	for dec := json.NewDecoder(strings.NewReader(text)); ; {
		var one json.RawMessage
		switch err := dec.Decode(&one); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w in\n%s", err, text)
		}
		if err := c.document(one); err != nil {
			return err
		}
	}
}

func (c *checker) document(text []byte) error {
	var head struct {
		Kind   string          `json:"kind"`
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("%w in\n%s", err, text)
	}
	if head.Kind == "" {
		return fmt.Errorf("a document without a kind:\n%s", text)
	}
	c.kinds = append(c.kinds, head.Kind)
	if err := validate(head.Kind, "", text); err != nil {
		return err
	}
	if head.Kind == "BatchResult" && head.Result != nil {
		return c.document(head.Result)
	}
	return nil
}

func (c *checker) yaml(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return fmt.Errorf("%w in\n%s", err, text)
	}
	asJSON, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.document(asJSON)
}

// items checks the items of a kind, a line each: of the kinds of that noun, one
// must fit, and is seen if it is the only one that does. A line that names its kind
// is a document.
func (c *checker) items(words []string, text string) error {
	candidates := kindsOf(words)
	for line := range strings.Lines(text) {
		var head struct {
			Kind       string `json:"kind"`
			APIVersion string `json:"apiVersion"`
		}
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			return fmt.Errorf("%w in\n%s", err, line)
		}
		if head.APIVersion != "" {
			if err := c.document([]byte(line)); err != nil {
				return err
			}
			continue
		}
		var errs []error
		var fit []string
		for _, kind := range candidates {
			if err := validateLine(kind, []byte(line)); err == nil {
				fit = append(fit, kind)
			} else {
				errs = append(errs, err)
			}
		}
		if len(fit) == 0 {
			return fmt.Errorf("no kind fits: %w", errors.Join(errs...))
		}
		if len(fit) == 1 {
			c.kinds = append(c.kinds, fit[0])
		}
	}
	return nil
}

// validateLine holds a line against the item of a kind, or what stands for it: a
// line of cm ping is an answer, of which the item is made.
func validateLine(kind string, line []byte) error {
	err := validate(kind, "#/$defs/item", line)
	if err != nil && kind == "CMPing" {
		return validate(kind, "#/$defs/reply", line)
	}
	return err
}

// kindsOf returns the kinds whose schema says that they answer the noun, which may
// be abbreviated.
func kindsOf(words []string) (kinds []string) {
	for _, kind := range output.Kinds() {
		text, err := output.Schema(kind)
		if err == nil && bytes.Contains(text, []byte(`"item":`)) && (len(words) == 0 || bytes.Contains(text, []byte("ibctl "+words[0]))) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

var (
	mu       sync.Mutex
	compiled = map[string]*jsonschema.Schema{}
)

// Validate holds a document against the schema of a kind.
func Validate(kind string, text []byte) error { return validate(kind, "", text) }

// LabOnly are the kinds that only a kernel can answer in, so that the scripts of
// cmd/ibctl, which look at captured trees, cannot print them. The lab's tests
// print each of them.
func LabOnly() []string {
	return []string{
		"CMIDList", "CMDefaultList", "CMListenEventList", "CMPing", "CMResolution", "CQList", "ContextList", "CounterModeList", "GIDChangeList", "HolderList",
		"MRCounterList", "MRList", "NamespaceList", "PDList", "QPCounterList", "QPList", "ResourceCMIDList", "ResourceCountList",
		"ResourceSumList", "SRQList", "SystemState", "Takedown",
	}
}

// validate holds a text against a schema, or against a part of it.
func validate(kind, part string, text []byte) error {
	schema, err := compile(kind, part)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(doc)
	}
	if err != nil {
		return fmt.Errorf("%s: %w in\n%s", kind+part, err, text)
	}
	return nil
}

func compile(kind, part string) (*jsonschema.Schema, error) {
	mu.Lock()
	defer mu.Unlock()
	if s := compiled[kind+part]; s != nil {
		return s, nil
	}
	text, err := output.Schema(kind)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(kind, doc); err != nil {
		return nil, err
	}
	s, err := c.Compile(kind + part)
	if err == nil {
		compiled[kind+part] = s
	}
	return s, err
}
