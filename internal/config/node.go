package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// parser walks a YAML document, which its library has read, and collects what is
// wrong with it. The library's own strictness names Go types and stops early.
type parser struct {
	problems []Problem
}

func (p *parser) fail(n *yaml.Node, key, format string, args ...any) {
	p.problems = append(p.problems, Problem{n.Line, key, fmt.Sprintf(format, args...)})
}

// fields are the keys of a mapping and what reads their values, in the order in
// which messages list them.
type fields []field

type field struct {
	name string
	read func(n *yaml.Node, key string)
}

// String lists the names.
func (f fields) String() string {
	names := make([]string, len(f))
	for i := range f {
		names[i] = f[i].name
	}
	return strings.Join(names, ", ")
}

// mapping reads each value of a mapping. A null stands for an empty one, as YAML
// has it where all entries are commented out.
func (p *parser) mapping(n *yaml.Node, key string, known fields) {
	n = followed(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n, key, "want a mapping of %s", known)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		full := join(key, name.Value)
		at := slices.IndexFunc(known, func(f field) bool { return f.name == name.Value })
		line, again := seen[name.Value]
		switch {
		case at < 0 || name.Kind != yaml.ScalarNode:
			p.fail(name, full, "unknown key; there is %s", known)
		case again:
			p.fail(name, full, "given twice, first in line %d", line)
		default:
			seen[name.Value] = name.Line
			known[at].read(value, full)
		}
	}
}

// list reads each entry of a list.
func (p *parser) list(n *yaml.Node, key string, read func(n *yaml.Node, key string)) {
	n = followed(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		p.fail(n, key, "want a list")
		return
	}
	for i, entry := range n.Content {
		read(entry, fmt.Sprintf("%s[%d]", key, i))
	}
}

// text returns a field that is a string. YAML's other scalars are taken as they
// are written: a GUID of digits alone is a number to YAML.
func (p *parser) text(name string, to *string) field {
	return field{name, func(n *yaml.Node, key string) {
		n = followed(n)
		if n.Kind != yaml.ScalarNode || isNull(n) || n.Value == "" {
			p.fail(n, key, "want a text")
			return
		}
		*to = n.Value
	}}
}

func (p *parser) flag(name string, to *bool) field {
	return field{name, func(n *yaml.Node, key string) {
		if n = followed(n); n.Kind != yaml.ScalarNode || n.Decode(to) != nil {
			p.fail(n, key, "want true or false")
		}
	}}
}

// number returns a field that is a whole number within bounds, both included.
func (p *parser) number(name string, least, most int64, take func(int64)) field {
	return field{name, func(n *yaml.Node, key string) {
		var v int64
		n = followed(n)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || n.Decode(&v) != nil || v < least || v > most {
			p.fail(n, key, "want a whole number from %d to %d", least, most)
			return
		}
		take(v)
	}}
}

// duration returns a field that is a time, with its unit.
func (p *parser) duration(name string, to *time.Duration) field {
	return field{name, func(n *yaml.Node, key string) {
		n = followed(n)
		v, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || v <= 0 {
			p.fail(n, key, "want a time above zero with its unit, such as 500ms or 10s")
			return
		}
		*to = v
	}}
}

func (p *parser) texts(name string, to *[]string) field {
	return field{name, func(n *yaml.Node, key string) {
		p.list(n, key, func(n *yaml.Node, key string) {
			n = followed(n)
			if n.Kind != yaml.ScalarNode {
				p.fail(n, key, "want a text")
				return
			}
			*to = append(*to, n.Value)
		})
	}}
}

// followed returns what an alias stands for.
func followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
