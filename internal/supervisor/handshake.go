package supervisor

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/ibctl/ibctl/core/plugin"
)

// checkHandshake looks at the line that a plugin prints first,
//
//	CORE-VERSION|PROTOCOL-VERSION|unix|PATH|grpc|...
//
// before go-plugin does: what is wrong with it gets a typed error, and the socket
// has to be the one in the directory that the plugin was given.
func checkHandshake(line, dir string) error {
	f := strings.Split(strings.TrimSpace(line), "|")
	if len(f) < 5 {
		return fmt.Errorf("%w: first line of output is %q", ErrHandshake, abridged(line))
	}
	if f[0] != strconv.Itoa(goplugin.CoreProtocolVersion) {
		return fmt.Errorf("%w: go-plugin's core protocol %q, want %d", ErrHandshake, abridged(f[0]), goplugin.CoreProtocolVersion)
	}
	if f[1] != strconv.Itoa(plugin.ProtocolVersion) {
		return fmt.Errorf("%w: version %q, want %d", ErrVersion, abridged(f[1]), plugin.ProtocolVersion)
	}
	if f[2] != "unix" || f[4] != string(goplugin.ProtocolGRPC) {
		return fmt.Errorf("%w: offers %q over %q, want grpc over unix", ErrHandshake, abridged(f[4]), abridged(f[2]))
	}
	if !strings.HasPrefix(filepath.Clean(f[3]), dir+"/") {
		return fmt.Errorf("%w: socket %q is not in %s", ErrHandshake, abridged(f[3]), dir)
	}
	return nil
}

func abridged(text string) string {
	const most = 120
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
