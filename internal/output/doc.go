// Package output shows what a verb has to say: to people as a table or a
// record, to programs as JSON, JSON lines, YAML or bare names.
//
// It knows columns, items and warnings, and nothing of where they come from.
// What it promises:
//
//   - Every document is valid in its format, whatever texts the items hold, and
//     an empty result is a document too.
//   - Text from outside never reaches a terminal as it came: what is not
//     printable is escaped, in every format ([Text]).
//   - A value that is unknown is absent from JSON and "-" in a table.
//   - Write errors are returned, the last one included: nothing is buffered
//     behind the caller's back.
//
// All functions may be called concurrently, as far as their writers allow it.
package output
