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

// dialect names the fields that a logger gives a meaning of its own. The time is
// left out: ours is as good.
type dialect struct{ msg, level, time string }

// dialects are slog's JSON handler and hclog, which go-plugin itself logs with.
var dialects = []dialect{{slog.MessageKey, slog.LevelKey, slog.TimeKey}, {"@message", "@level", "@timestamp"}}

// parseRecord reads a line of JSON in one of the dialects.
func parseRecord(line string) (record, bool) {
	if !strings.HasPrefix(line, "{") {
		return record{}, false
	}
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
		return record{}, false
	}
	for _, d := range dialects {
		if r, ok := d.record(fields); ok {
			return r, true
		}
	}
	return record{}, false
}

func (d dialect) record(fields map[string]any) (record, bool) {
	msg, hasMsg := fields[d.msg].(string)
	level, hasLevel := fields[d.level].(string)
	r := record{msg: msg}
	if !hasMsg || !hasLevel {
		return record{}, false
	}
	if level == "trace" { // hclog's, which slog has no name for
		level = "debug-4"
	}
	if r.level.UnmarshalText([]byte(level)) != nil {
		return record{}, false
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		switch key {
		case d.msg, d.level, d.time:
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
