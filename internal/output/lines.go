package output

import "strings"

// Lines returns a Body of lines that are shown as they are, for people and
// programs alike: settings, for instance.
func Lines(lines []string) Body { return lineList(lines) }

type lineList []string

func (l lineList) render(b *strings.Builder, _ Style) {
	for _, line := range l {
		b.WriteString(Text(line) + "\n")
	}
}
