package main

import (
	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/output"
)

func schemaCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "schema", Category: categoryTool, Usage: "print the JSON Schema of a kind of document, or list the kinds",
		ArgsUsage: argsKind,
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return usagef("schema takes one kind, and got %d", c.NArg())
			}
			if c.NArg() == 0 {
				return inv.listKinds()
			}
			text, err := output.Schema(c.Args().First())
			if err != nil {
				return &usageError{problem: err.Error(), hint: didYouMean(c.Args().First(), output.Kinds())}
			}
			return inv.print(string(text))
		},
	}
}

// kind is the item of a KindList document.
type kind struct {
	Kind string `json:"kind"`
}

func (inv *invocation) listKinds() error {
	var kinds []kind
	for _, k := range output.Kinds() {
		kinds = append(kinds, kind{k})
	}
	name := func(k kind) string { return k.Kind }
	return output.Print(inv.printer(), output.Result[kind]{
		Kind: "KindList", Items: kinds, Name: name,
		Body: output.Rows(kinds, []output.Column[kind]{{Header: "KIND", Cell: name}}),
	})
}
