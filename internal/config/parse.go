package config

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxEvents bounds the memory that kept events take: about 300 octets each.
const maxEvents = 1 << 20

// Parse reads a configuration; builtin names the clients that need no path. All
// that is wrong comes back, by line.
func Parse(text []byte, builtin []string) (Config, []Problem) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return Config{}, nil
	} else if err != nil {
		return Config{}, []Problem{syntaxProblem(err)}
	}
	var p parser
	var conf Config
	p.document(doc.Content[0], &conf, builtin)
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		p.problems = append(p.problems, Problem{Line: more.Line, Text: "want one YAML document, and there is another"})
	}
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return Config{}, p.problems
	}
	return conf, nil
}

func (p *parser) document(n *yaml.Node, conf *Config, builtin []string) {
	p.mapping(n, "", fields{
		p.text("group", &conf.Group),
		{"clients", func(n *yaml.Node, key string) { p.clients(n, key, &conf.Clients, builtin) }},
		{"cm", func(n *yaml.Node, key string) { p.cm(n, key, &conf.CM) }},
		{"limits", func(n *yaml.Node, key string) { p.limits(n, key, &conf.Limits) }},
		p.number("events", 1, maxEvents, func(v int64) { conf.Events = int(v) }),
	})
	if conf.Clients != nil && len(conf.CM.Defaults) > 0 && !slices.ContainsFunc(conf.Clients, isCM) {
		p.fail(n, "cm.defaults", "the client cm, which would set them, is not among clients")
	}
}

func isCM(c Client) bool { return c.Name == "cm" && c.Path == "" }

func (p *parser) limits(n *yaml.Node, key string, l *Limits) {
	p.mapping(n, key, fields{
		p.duration("start", &l.Start),
		p.duration("add", &l.Add),
		p.duration("change", &l.Change),
		p.duration("remove", &l.Remove),
		p.duration("stop", &l.Stop),
	})
}

var lineOf = pattern(`line (\d+): `)

// syntaxProblem takes the line out of the library's message.
func syntaxProblem(err error) Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	m := lineOf().FindStringSubmatchIndex(text)
	if m == nil {
		return Problem{Text: text}
	}
	line, _ := strconv.Atoi(text[m[2]:m[3]])
	return Problem{Line: line, Text: text[:m[0]] + text[m[1]:]}
}
