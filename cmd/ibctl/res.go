package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/resources"
)

func resCommand(inv *invocation) *cli.Command {
	noun := &cli.Command{
		Name: "res", Category: categoryShow, Usage: "verbs objects: queue pairs, memory regions and so on, and whose they are",
		Subcommands: []*cli.Command{resListCommand(inv)},
	}
	for _, k := range resources.Kinds() {
		noun.Subcommands = append(noun.Subcommands, resKindCommand(inv, k))
	}
	return noun
}

// kindWords are what each kind is called by people.
var kindWords = map[resources.Kind]string{
	resources.QP: "queue pairs", resources.CQ: "completion queues", resources.MR: "memory regions", resources.PD: "protection domains",
	resources.Ctx: "user contexts: verbs devices that processes have open", resources.SRQ: "shared receive queues",
	resources.CMID: "ids of the connection manager",
}

// verbOf is the verb that lists a kind.
func verbOf(k resources.Kind) string { return strings.ReplaceAll(string(k), "_", "-") }

func resListCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "how many objects of each kind a device has",
		ArgsUsage: argsDevices, Description: devArguments,
		UsageText: "ibctl res list\tall devices; with limits where the kernel tells them\n" +
			"ibctl res list --by pid\twhat each process has made\n" +
			"ibctl res list mlx5_0 --watch\tand how that changes",
		Flags:  slices.Concat([]cli.Flag{byFlag(), driverFlag()}, watchFlags("show what changes")),
		Action: inv.resList,
	}
}

func resKindCommand(inv *invocation, k resources.Kind) *cli.Command {
	verb := verbOf(k)
	c := &cli.Command{
		Name: verb, Usage: kindWords[k],
		ArgsUsage: argsDevices, Description: devArguments,
		UsageText: "ibctl res " + verb + " mlx5_0 -o wide\tall that the kernel tells\n" +
			"ibctl res " + verb + " --comm 'ib_*' --by pid\tthose of some processes, summed up\n" +
			"ibctl res " + verb + " --number 10-20 -j\tsome of them, as JSON",
		Flags:  slices.Concat(filterFlags(k), []cli.Flag{byFlag(), driverFlag()}, watchFlags("show what changes")),
		Action: inv.resKind(k),
	}
	if slices.Contains(resources.RawKinds(), k) {
		c.Flags = append([]cli.Flag{&cli.BoolFlag{Name: "raw", Usage: "the driver's own record of each, in the vendor's layout (Linux 5.9)"}}, c.Flags...)
	}
	if verb != string(k) {
		c.Aliases = []string{string(k)}
	}
	if hasKey(k, "port") {
		c.ArgsUsage = argsPorts
	}
	return c
}

func hasKey(k resources.Kind, key string) bool { return slices.Contains(resources.Keys(k), key) }

func byFlag() cli.Flag {
	return &cli.StringFlag{Name: "by", Usage: "sum objects up by `KEY`, such as pid, user or pod"}
}

func driverFlag() cli.Flag {
	return &cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "what drivers make for their own use, too (Linux 6.11)"}
}
