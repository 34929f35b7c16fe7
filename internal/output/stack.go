package output

import "strings"

// Stack returns a Body that shows bodies one below the other, with an empty line
// between those that show anything.
func Stack(bodies ...Body) Body { return stack(bodies) }

type stack []Body

func (s stack) render(b *strings.Builder, style Style) {
	for _, body := range s {
		var one strings.Builder
		body.render(&one, style)
		if b.Len() > 0 && one.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(one.String())
	}
}
