package supervisor

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// record is one line of a plugin's log.
type record struct {
	level slog.Level
	msg   string
	args  []any // keys and values in turn
}

// parseRecord reads a line of slog's JSON handler. The time is left out: ours is
// as good.
func parseRecord(line string) (record, bool) {
	if !strings.HasPrefix(line, "{") {
		return record{}, false
	}
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
		return record{}, false
	}
	msg, hasMsg := fields[slog.MessageKey].(string)
	level, hasLevel := fields[slog.LevelKey].(string)
	r := record{msg: msg}
	if !hasMsg || !hasLevel || r.level.UnmarshalText([]byte(level)) != nil {
		return record{}, false
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		switch key {
		case slog.MessageKey, slog.LevelKey, slog.TimeKey:
		default:
			r.args = append(r.args, key, fields[key])
		}
	}
	return r, true
}

// text is the record for an error message: "cannot listen address=10.0.0.1".
func (r record) text() string {
	text := r.msg
	for i := 0; i+1 < len(r.args); i += 2 {
		text += fmt.Sprintf(" %v=%v", r.args[i], r.args[i+1])
	}
	return text
}
