package output

import (
	"strconv"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"mlx5_0":                    "mlx5_0",
		"MT4123 \"x\" é 日本":         "MT4123 \"x\" é 日本",
		"a\x1b]0;owned\x07":         `a\x1b]0;owned\a`,
		"two\nlines\ttab\rcr":       `two\nlines\ttab\rcr`,
		"c1 \u009b31m":              `c1 \u009b31m`,
		"bidi \u202egnp.exe":        `bidi \u202egnp.exe`,
		"isolate \u2066x\u2069":     `isolate \u2066x\u2069`,
		"zero\u200bwidth \ufeff":    `zero\u200bwidth \ufeff`,
		"tag \U000e0041":            `tag \U000e0041`,
		"bad \xff\xc3":              `bad \xff\xc3`,
		"replacement \ufffd itself": "replacement \ufffd itself",
		`back\slash`:                `back\\slash`,
		"del \x7f":                  `del \x7f`,
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestDisplayWidth(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "rxe0": 4, "é": 1, "e\u0301": 1, "日本": 4, "ｆ": 2, "ﾊ": 1, "😀": 2, "Ω": 1,
	} {
		if got := displayWidth(s); got != want {
			t.Errorf("displayWidth(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestWideCharactersKeepColumns(t *testing.T) {
	out, _ := show(t, Table, things([]thing{{Device: "日本", Netdev: "a"}, {Device: "rxe0", Netdev: "b"}}))
	want := "DEVICE  INDEX  NETDEV\n日本        0  a\nrxe0        0  b\n"
	if out != want {
		t.Errorf("got:\n%s\nwant:\n%s", out, want)
	}
}

// unsafeRune tells whether text holds anything that a terminal might obey.
func unsafeRune(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !strconv.IsPrint(r) })
}
