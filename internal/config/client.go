package config

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

var (
	clientName = pattern(`^[a-z][a-z0-9-]{0,30}$`)
	sha256Sum  = pattern(`^[0-9a-fA-F]{64}$`)
	envName    = pattern(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// pattern returns a way to a pattern that is compiled when it is first asked for:
// most runs of ibctl read no configuration.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func (p *parser) clients(n *yaml.Node, key string, to *[]Client, builtin []string) {
	*to = []Client{}
	p.list(n, key, func(n *yaml.Node, key string) {
		c := p.client(n, key, builtin)
		if slices.ContainsFunc(*to, func(other Client) bool { return other.Name == c.Name && c.Name != "" }) {
			p.fail(n, key, "client %s is in the list already", c.Name)
		}
		*to = append(*to, c)
	})
}

// client reads an entry: a mapping, or just the name of a built-in client.
func (p *parser) client(n *yaml.Node, key string, builtin []string) Client {
	var c Client
	if n = followed(n); n.Kind == yaml.ScalarNode && !isNull(n) {
		c.Name = n.Value
	} else {
		p.mapping(n, key, fields{
			p.text("name", &c.Name),
			p.text("path", &c.Path),
			p.text("sha256", &c.SHA256),
			p.texts("args", &c.Args),
			{"env", func(n *yaml.Node, key string) { p.environment(n, key, &c.Env) }},
			p.flag("host_pids", &c.HostPIDs),
			{"config", func(n *yaml.Node, key string) { p.anything(n, key, &c.Config) }},
		})
	}
	p.checkClient(n, key, c, builtin)
	return c
}

func (p *parser) checkClient(n *yaml.Node, key string, c Client, builtin []string) {
	own := slices.Contains(builtin, c.Name)
	switch {
	case c.Name == "":
		p.fail(n, key, "has no name")
	case !clientName().MatchString(c.Name):
		p.fail(n, key, "%q is no name for a client: want a lower-case letter, then up to 30 of a-z, 0-9 and -", c.Name)
	case own && (c.Path != "" || c.SHA256 != "" || c.Args != nil || c.Env != nil || c.HostPIDs || c.Config != nil):
		p.fail(n, key, "client %s is built in, and takes nothing but its name", c.Name)
	case !own && c.Path == "":
		p.fail(n, key, "client %s is not built in, and has no path; built in: %s", c.Name, strings.Join(builtin, ", "))
	case !own && !filepath.IsAbs(c.Path):
		p.fail(n, key, "path %s of client %s is not absolute", c.Path, c.Name)
	case c.SHA256 != "" && !sha256Sum().MatchString(c.SHA256):
		p.fail(n, key, "sha256 of client %s is not 64 hexadecimal digits", c.Name)
	}
}

// environment reads NAME: value pairs.
func (p *parser) environment(n *yaml.Node, key string, to *[]string) {
	n = followed(n)
	if n.Kind != yaml.MappingNode {
		p.fail(n, key, "want a mapping of names to values")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], followed(n.Content[i+1])
		switch {
		case name.Kind != yaml.ScalarNode || !envName().MatchString(name.Value):
			p.fail(name, key, "%q is no name for a variable", name.Value)
		case value.Kind != yaml.ScalarNode || strings.Contains(value.Value, "\x00"):
			p.fail(value, join(key, name.Value), "want a text")
		case slices.ContainsFunc(*to, func(pair string) bool { return strings.HasPrefix(pair, name.Value+"=") }):
			p.fail(name, join(key, name.Value), "given twice")
		default:
			*to = append(*to, name.Value+"="+value.Value)
		}
	}
	slices.Sort(*to)
}

// anything turns a value that only the client understands into JSON.
func (p *parser) anything(n *yaml.Node, key string, to *[]byte) {
	var v any
	if err := n.Decode(&v); err != nil {
		p.fail(n, key, "%v", err)
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		p.fail(n, key, "cannot be said in JSON: %v", err)
		return
	}
	*to = text
}
