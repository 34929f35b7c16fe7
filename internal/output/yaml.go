package output

import (
	"bytes"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// encodeYAML returns v as YAML in block style. It reads v's JSON as the YAML that
// it is, so keys keep their order and numbers their text.
func encodeYAML(v any) ([]byte, error) {
	text, err := marshal(v, "")
	if err != nil {
		return nil, err
	}
	var root yaml.Node
	if err := yaml.Unmarshal(escapeUnicode(text, yamlEscape), &root); err != nil {
		return nil, err
	}
	restyle(&root)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return nil, err
	}
	return escapeUnicode(b.Bytes(), yamlEscape), nil
}

// restyle gives every node the style that people write: block collections, and
// quotes only where a string could be mistaken for something else.
func restyle(n *yaml.Node) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str" && !plainYAML(n.Value):
		n.Style = yaml.DoubleQuotedStyle
	case len(n.Content) > 0 || n.Kind == yaml.ScalarNode:
		n.Style = 0
	}
	for _, child := range n.Content {
		restyle(child)
	}
}

// wordYAML matches texts that no version of YAML takes for anything but a string,
// save the words below. A leading digit is out: YAML 1.1 parsers, which most
// scripts have, read 0000:01:00.0 as a number of base 60.
var wordYAML = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_./() -]*[A-Za-z0-9_./()-])?$`)
})

// plainYAML tells whether s can go without quotes. YAML 1.1 has more words for
// true, false and null than 1.2.
func plainYAML(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return wordYAML().MatchString(s) && !strings.HasPrefix(s, "---")
}
