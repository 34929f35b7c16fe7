package output

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed schema/*.json
var schemas embed.FS

// Kinds lists the kinds that have a JSON Schema, sorted.
func Kinds() []string {
	entries, err := schemas.ReadDir("schema")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	var kinds []string
	for _, e := range entries {
		kinds = append(kinds, strings.TrimSuffix(e.Name(), ".json"))
	}
	return kinds
}

// Schema returns the JSON Schema (draft 2020-12) of the documents of one kind.
func Schema(kind string) ([]byte, error) {
	if !slices.Contains(Kinds(), kind) {
		return nil, fmt.Errorf("no schema for kind %q: want one of %s", kind, strings.Join(Kinds(), ", "))
	}
	return schemas.ReadFile("schema/" + kind + ".json")
}
