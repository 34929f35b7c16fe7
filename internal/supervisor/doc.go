// Package supervisor starts, watches and stops plugin processes, and speaks the
// contract of core/plugin with them.
//
// # Glossary
//
//   - [Spec]: what to start: a built-in client or an executable.
//   - [Plugin]: one running process and its conversation with ibctl. It is a
//     [core.Client]. A process that died is never revived: its successor is
//     another Plugin.
//   - [Manager]: keeps one client in a registry: starts a Plugin, registers it,
//     and after a crash starts the next.
//   - tree: a plugin's process and all that descend from it.
//   - [Guarantee]: how far the death of a tree can be proven on this host.
//
// # The one rule
//
// A Remove ends in one of two ways only: the plugin acknowledged it, or the
// plugin's tree is proven dead. A deadline, a cancelled call or a broken
// connection proves nothing by itself: each leads to a kill, and to waiting for
// the proof.
//
// # Concurrency
//
// All methods of exported types may be called by any number of goroutines at
// once. Each goroutine that a Plugin starts has ended when Stop returns, each of
// a Manager's when its Stop returns, and each of a Supervisor's when Close
// returns.
package supervisor
