package main

import (
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/output"
)

// version is set by the linker where the build knows better than the module's
// own version: -X main.version=v1.2.3.
var version string

// build is the item of a Version document.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified *bool  `json:"modified,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func versionCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "version", Category: categoryTool, Usage: "print the version of ibctl",
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			items := []build{thisBuild()}
			return output.Print(inv.printer(), output.Result[build]{
				Kind: "Version", Items: items,
				Body: output.Rows(items, versionColumns),
				Name: func(b build) string { return b.Version },
			})
		},
	}
}

var versionColumns = []output.Column[build]{
	{Header: "VERSION", Cell: func(b build) string { return b.Version }},
	{Header: "GO", Cell: func(b build) string { return b.Go }},
	{Header: "PLATFORM", Cell: func(b build) string { return b.OS + "/" + b.Arch }},
	{Header: "COMMIT", Cell: func(b build) string { return b.Commit }, Wide: true},
}

// thisBuild tells what the linker and the Go toolchain left in the binary.
func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			if modified, err := strconv.ParseBool(s.Value); err == nil {
				b.Modified = &modified
			}
		}
	}
	return b
}

// noArguments refuses arguments where a verb takes none.
func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("%s takes no argument, and got %q", c.Command.HelpName, c.Args().First())
	}
	return nil
}
