package output

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Text makes s safe to print on one line of a terminal. What is not printable
// (control characters, terminal escapes, bidirectional controls, odd spaces,
// invalid UTF-8) becomes a Go escape: \x1b, \u202e, \xff. A backslash is doubled,
// so that the result is unambiguous.
func Text(s string) string {
	if plain(s) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// plain tells whether s can be printed as it is.
func plain(s string) bool {
	for i, r := range s {
		if r == '\\' || !strconv.IsPrint(r) {
			return false
		}
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return false
		}
	}
	return true
}

// escapeUnicode rewrites every character from DEL upwards that is not printable
// as escape says. It is for JSON, and for YAML whose strings with such characters
// are double-quoted: there they occur within strings alone, and a parser reads
// the same as before.
func escapeUnicode(text []byte, escape func(b []byte, r rune) []byte) []byte {
	if isPlain(text) || !hasUnprintable(string(text)) {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		if r < 0x7f || strconv.IsPrint(r) {
			b = utf8.AppendRune(b, r)
		} else {
			b = escape(b, r)
		}
	}
	return b
}

// isPlain tells of text without any such character, which most is, and quickly.
func isPlain(text []byte) bool {
	for _, b := range text {
		if b >= 0x7f {
			return false
		}
	}
	return true
}

func hasUnprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x7f && !strconv.IsPrint(r) })
}

// jsonEscape writes r as JSON does: in UTF-16, a pair of surrogates above the
// basic plane (RFC 8259, section 7).
func jsonEscape(b []byte, r rune) []byte {
	for _, unit := range utf16.AppendRune(nil, r) {
		b = fmt.Appendf(b, `\u%04x`, unit)
	}
	return b
}

// yamlEscape writes r as a double-quoted YAML scalar does, which knows no
// surrogates (YAML 1.2.2, section 5.7).
func yamlEscape(b []byte, r rune) []byte {
	if r <= 0xffff {
		return fmt.Appendf(b, `\u%04x`, r)
	}
	return fmt.Appendf(b, `\U%08x`, r)
}
