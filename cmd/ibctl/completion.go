package main

import (
	_ "embed"

	"github.com/urfave/cli/v2"
)

//go:embed completion/ibctl.bash
var bashCompletion string

//go:embed completion/ibctl.zsh
var zshCompletion string

//go:embed completion/ibctl.fish
var fishCompletion string

func completionCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "completion", Category: categoryTool, Usage: "print the completion script for a shell",
		ArgsUsage: argsShell,
		Description: `SHELL is bash, zsh or fish. To try it in the running shell:

  bash  source <(ibctl completion bash)
  zsh   source <(ibctl completion zsh)
  fish  ibctl completion fish | source`,
		Action: func(c *cli.Context) error {
			script, ok := shellScript(c.Args().First())
			if c.NArg() != 1 || !ok {
				return &usageError{problem: "completion takes one shell", candidates: shells()}
			}
			return inv.print(script)
		},
	}
}

func shells() []string { return []string{"bash", "zsh", "fish"} }

func shellScript(shell string) (script string, ok bool) {
	switch shell {
	case "bash":
		return bashCompletion, true
	case "zsh":
		return zshCompletion, true
	case "fish":
		return fishCompletion, true
	}
	return "", false
}
