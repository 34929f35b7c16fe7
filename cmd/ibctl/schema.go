package main

import (
	"strings"

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
	// Forms are those of older tools that documents of the kind have as well.
	Forms []output.Format `json:"forms,omitempty"`
}

func (inv *invocation) listKinds() error {
	var kinds []kind
	for _, k := range output.Kinds() {
		kinds = append(kinds, kind{k, legacyKinds[k]})
	}
	name := func(k kind) string { return k.Kind }
	return output.Print(inv.printer(), output.Result[kind]{
		Kind: "KindList", Items: kinds, Name: name,
		Body: output.Rows(kinds, []output.Column[kind]{
			{Header: "KIND", Cell: name},
			{Header: "FORMS", Cell: func(k kind) string { return formList(k.Forms) }},
		}),
	})
}

// formList is "rdma-json,ibdev2netdev".
func formList(forms []output.Format) string {
	names := make([]string, len(forms))
	for i, f := range forms {
		names[i] = string(f)
	}
	return strings.Join(names, ",")
}
