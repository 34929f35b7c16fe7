package output

import (
	"bytes"
	"strings"
	"testing"
)

// kubectl shows how its templates answer.
func TestTemplates(t *testing.T) {
	r := things([]thing{{Device: "a", Port: 1, Index: 7, GID: someGID}, {Device: "b\x1b", Port: 2, Netdev: "eth0"}})
	for text, want := range map[string]string{
		"jsonpath={.kind}":                              "GIDList",
		"jsonpath={.items[*].device}":                   `a b\x1b`,
		"jsonpath={.items[0].nosuch}":                   "",
		`jsonpath={range .items[*]}{.index}{"\n"}{end}`: "7\n0\n",
		"jsonpath={.items[?(@.index>3)].device}":        "a",
		`jsonpath={.items[?(@.netdev=="eth0")].port}`:   "2",
		"jsonpath={.items[-1:].port}":                   "2",
		"jsonpath={.warnings}":                          "[]",
		"custom-columns=D:.device,P:.port":              "D      P\na      1\nb\\x1b  2\n",
		"custom-columns=D:{device},N:{.netdev}":         "D      N\na      <none>\nb\\x1b  eth0\n",
	} {
		f, template, err := ParseFormat(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if template.String() != text {
			t.Errorf("%s became %s", text, template)
		}
		var out bytes.Buffer
		if err := Print(Printer{Out: &out, Err: &out, Format: f, Template: template}, r); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v, want %q", text, out.String(), err, want)
		}
	}
}

// FuzzTemplate: any template is an error or shows something, and ends nothing.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{.kind}", "{.items[*].device}", "{range .items[*]}{.port}{end}", "{end}", "{range", "{.items[?(@.a==1)]}", "{..}", "{'a'}", "{.items[1:2:0]}", "{.items[::]}", "A:.a,B:b", "A:{", "{.items[0][0]}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		r := things([]thing{{Device: "a", Port: 1}, {Device: "b", Port: 2}})
		for _, name := range []string{"jsonpath=", "custom-columns="} {
			format, template, err := ParseFormat(name + source)
			if err != nil {
				continue
			}
			var out bytes.Buffer
			if err := Print(Printer{Out: &out, Err: &out, Format: format, Template: template}, r); err != nil && !strings.Contains(err.Error(), "template") {
				t.Errorf("%s: %v", source, err)
			}
		}
	})
}
