package main

import (
	"context"
	"net"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/libenv"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/resources"
	"github.com/ibctl/ibctl/internal/takedown"
)

// What verbs take as arguments, as help shows it. Completion goes by it, and by
// the word that stands for the value of a flag.
const (
	argsDevices = "[DEV…]"
	argsGIDs    = "[DEV[/PORT[/INDEX]]…]"
	argsShell   = "SHELL"
	argsKind    = "[KIND]"
	argsCommand = "[COMMAND [VERB]]"
)

// directories asks the shell to complete a directory.
const directories = ":directories"

// candidate is one way to go on.
type candidate struct{ text, explanation string }

// candidates returns what can stand for a placeholder. prefix is what is typed.
func (inv *invocation) candidates(placeholder, prefix string) []candidate {
	switch placeholder {
	case "DIR":
		return plainCandidates([]string{directories})
	case "TYPE":
		return plainCandidates(gidTypeNames())
	case "NETDEV":
		return inv.netdevCandidates()
	case "SIGNAL":
		return plainCandidates([]string{string(takedown.Terminate), string(takedown.Kill)})
	case "LINKTYPE":
		return plainCandidates(append(slices.Clone(linkTypes), subDeviceType))
	case "INTERFACE":
		return interfaceCandidates()
	case argsDevices, argsDevice, argsRename, argsNetns:
		return inv.deviceCandidates()
	case argsGIDs:
		if strings.Contains(prefix, "/") {
			return inv.portCandidates()
		}
		return inv.deviceCandidates()
	case argPort:
		return slices.Concat(inv.deviceCandidates(), inv.portCandidates(), plainCandidates([]string{everyPort}))
	case argLibrary:
		return plainCandidates(libenv.Libraries())
	case "CONDITION":
		return plainCandidates(waitConditions())
	case "STATE":
		return plainCandidates(cmStates())
	case argsSetting:
		return plainCandidates(settingNames())
	case argsDevSetting, "PARENT":
		return inv.deviceCandidates()
	case "KEY":
		return plainCandidates(resources.SumKeys())
	case "KEY=LIST":
		return plainCandidates(whereKeys())
	case placeholderQPStates, placeholderCMStates, placeholderQPTypes, placeholderSRQTypes:
		return plainCandidates(resourceWords[placeholder])
	case argsPorts, argsPort, argsWait, argsMode, argsTOS, argsExplain:
		return slices.Concat(inv.deviceCandidates(), inv.portCandidates())
	case argsClient:
		return plainCandidates(builtins())
	case argsShell:
		return plainCandidates(shells())
	case argsKind:
		return plainCandidates(output.Kinds())
	}
	return nil
}

func plainCandidates(texts []string) []candidate {
	all := make([]candidate, len(texts))
	for i, text := range texts {
		all[i].text = text
	}
	return all
}

// formatNames are the formats that a verb has, or without one all.
func formatNames(verb string) (names []string) {
	forms := output.LegacyFormats()
	if verb != "" {
		forms = legacyForms[verb]
	}
	for _, f := range append(output.Formats(), forms...) {
		names = append(names, string(f))
	}
	return names
}

// liveDevices reads the devices for completion, which has no use for errors.
func (inv *invocation) liveDevices() []rdma.Device {
	f, err := inv.targets(context.Background(), nil, host.Summary)
	if err != nil {
		return nil
	}
	return devicesOf(f.targets)
}

func (inv *invocation) deviceCandidates() []candidate {
	var all []candidate
	for _, d := range inv.liveDevices() {
		all = append(all, candidate{d.Name, string(d.Protocol)})
	}
	return all
}

func (inv *invocation) portCandidates() []candidate {
	var all []candidate
	for _, r := range portRows(inv.liveDevices()) {
		if r.port.Number > 0 {
			all = append(all, candidate{r.name(), r.port.Netdev})
		}
	}
	return all
}

func (inv *invocation) netdevCandidates() []candidate {
	var names []string
	for _, d := range inv.liveDevices() {
		for _, p := range d.Ports {
			if p.Netdev != "" {
				names = append(names, p.Netdev)
			}
		}
	}
	slices.Sort(names)
	return plainCandidates(slices.Compact(names))
}

// interfaceCandidates are all network interfaces but loopback.
func interfaceCandidates() []candidate {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var names []string
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 {
			names = append(names, i.Name)
		}
	}
	return plainCandidates(names)
}

func commandCandidates(commands []*cli.Command) []candidate {
	var all []candidate
	for _, c := range commands {
		all = append(all, candidate{c.Name, c.Usage})
	}
	return all
}

// flagCandidates lists the flags that the command at path accepts.
func flagCandidates(app *cli.App, path []string) []candidate {
	flags := slices.Clone(app.Flags)
	if len(path) > 0 {
		flags = append(slices.Clone(find(app.Commands, path).Flags), flags...)
	}
	var all []candidate
	for _, f := range flags {
		_, usage := unquote(f)
		all = append(all, candidate{"--" + f.Names()[0], usage})
	}
	return all
}

// allFlags lists the flags of app and of all its commands.
func allFlags(app *cli.App) []cli.Flag {
	all := slices.Clone(app.Flags)
	for _, noun := range app.Commands {
		all = append(all, noun.Flags...)
		for _, verb := range noun.Subcommands {
			all = append(all, verb.Flags...)
		}
	}
	return all
}
