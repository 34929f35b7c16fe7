package plugin

import goplugin "github.com/hashicorp/go-plugin"

// ProtocolVersion is the version of the contract: the 1 in ibctl.plugin.v1.
const ProtocolVersion = 1

// ServiceName is the one entry of the go-plugin set that both sides serve.
const ServiceName = "client"

// What ibctl puts into a plugin's environment, beside go-plugin's own variables
// and those that its configuration names.
const (
	// EnvCookie tells a plugin that it was started by ibctl, and not by a person.
	EnvCookie = "IBCTL_PLUGIN"
	// CookieValue is EnvCookie's value.
	CookieValue = "ibctl.plugin.v1"
	// EnvLogLevel is the least level worth logging: debug, info, warn or error.
	EnvLogLevel = "IBCTL_PLUGIN_LOG"
)

// Handshake is the part of go-plugin's handshake that both sides share.
func Handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{
		ProtocolVersion:  ProtocolVersion,
		MagicCookieKey:   EnvCookie,
		MagicCookieValue: CookieValue,
	}
}

// serveVerb is the hidden verb under which ibctl starts itself as a plugin.
const serveVerb = "plugin-serve"

// ServeArgs returns the arguments, argv[0] included, that make the ibctl binary
// serve the built-in client of that name.
func ServeArgs(name string) []string { return []string{"ibctl", serveVerb, name} }

// ServeName tells whether args, argv[0] included, are those of ServeArgs, and for
// which client. main asks before it does anything else, so that a plugin process
// pays for nothing it does not need.
func ServeName(args []string) (name string, ok bool) {
	if len(args) == 3 && args[1] == serveVerb {
		return args[2], true
	}
	return "", false
}
