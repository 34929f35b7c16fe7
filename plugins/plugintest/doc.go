// Package plugintest is the conformance kit for plugins of ibctl: it holds a
// plugin against the contract of ibctl-plugin(7). A plugin's own test is
//
//	func TestConformance(t *testing.T) {
//		plugintest.Run(t, plugintest.Plugin{Name: "hello", Path: "/path/to/ibctl-plugin-hello"})
//	}
//
// plugins/example has one in full.
//
// # How it looks
//
// The kit runs the plugin's executable, many times, by the same code that ibctl
// runs it with, and speaks with the process as ibctl does. Nothing is simulated
// but the devices, so a plugin's death, its descendants and what it leaves behind
// are seen for what they are. The plugin need not be written in Go, nor with
// package core/plugin.
//
// # Rules
//
// Each rule is a subtest, named in ibctl-plugin(7). The first three are that the
// plugin starts and takes devices at all; if one of them fails the others are not
// tried. Rules that try random moments print their seed, and IBCTL_SEED repeats
// it. IBCTL_SOAK=1 has them try longer.
//
// Build the test with -race and give it a plugin that was built with -race, and
// what the race detector finds in the plugin is found too: such a process does not
// exit with status 0.
//
// # Host
//
// Run it as root once: only then are plugins run in PID namespaces, as they are in
// earnest. One rule kills ibctl itself; for it, the test that called Run is run
// once more, in a process of its own, up to the call.
package plugintest
