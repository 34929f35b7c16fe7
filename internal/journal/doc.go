// Package journal keeps what a long-lived ibctl saw and did, for people to read
// later: the registry's own events, what became of plugin processes, and what
// clients had to say. ibctl events shows it.
//
// # Glossary
//
//   - [Event]: one entry. Its JSON form is the item of an EventList document.
//   - [Journal]: a ring of the latest events. Readers come with a position of
//     their own, so a slow one costs nothing and loses what was overwritten,
//     which it is told.
//   - [Recorder]: turns what happens in a registry into events, with what differs
//     where a device has changed.
//
// All exported methods may be called by any number of goroutines at once, unless
// their comment says otherwise.
package journal
