// Package config reads ibctl's configuration, /etc/ibctl/ibctl.yaml; see
// ibctl.conf(5).
//
// It is strict: a key that it does not know, a key given twice and a value of
// the wrong kind are errors, each with its line, and all of them are reported at
// once. A file that somebody else could have written is refused before it is
// read, for it names programs that root runs.
//
// A Config is a plain value; nothing here is shared or kept.
package config
