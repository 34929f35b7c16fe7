package output

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// gap parts the columns of a table.
const gap = "  "

// align lays rows out in columns of display cells and appends the lines to b.
// The last column is not padded, and no line ends in a space. Cells must be
// escaped already. text/tabwriter would do, did it not count runes: one wide
// character in a name would shift all that follows.
func align(b *strings.Builder, rows [][]string, right []bool) {
	widths := columnWidths(rows)
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-displayWidth(cell))
			switch {
			case right[i]:
				b.WriteString(pad + cell)
			case i == len(row)-1:
				b.WriteString(cell)
			default:
				b.WriteString(cell + pad)
			}
			if i < len(row)-1 {
				b.WriteString(gap)
			}
		}
		b.WriteByte('\n')
	}
}

func columnWidths(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], displayWidth(cell))
		}
	}
	return widths
}

// displayWidth counts the terminal cells that s takes: two for East Asian wide
// characters (Unicode Standard Annex 11), none for combining marks.
func displayWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	if r < 0x300 { // where combining marks begin; nothing below is wide
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
