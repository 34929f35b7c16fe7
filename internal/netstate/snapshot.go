package netstate

import "fmt"

// Snapshot is the state of a host's netdevs. The kernel gives none of the whole:
// each namespace is read for itself, so what moves between two of them meanwhile
// may be in both or in none. Who needs the truth reads until two snapshots are
// equal.
type Snapshot struct {
	// Namespaces that could be seen, the reader's own first.
	Namespaces []Namespace `json:"namespaces"`
	// Partial tells that there may be more of them.
	Partial bool `json:"partial"`
}

// Namespace is a network namespace and what is in it.
type Namespace struct {
	ID uint64 `json:"id"`
	// Name is that of ip-netns(8), or says how else the namespace was found:
	// "pid 4711 (nginx)"; empty for the reader's own.
	Name string `json:"name,omitzero"`
	// Path is a file that leads there: /run/netns/blue.
	Path    string   `json:"path"`
	Netdevs []Netdev `json:"netdevs"` // by index
}

// Find returns the namespace with the id; nil if it was not seen.
func (s *Snapshot) Find(id uint64) *Namespace {
	for i := range s.Namespaces {
		if s.Namespaces[i].ID == id {
			return &s.Namespaces[i]
		}
	}
	return nil
}

// All yields every netdev with its namespace, the reader's own namespace first.
func (s *Snapshot) All(yield func(*Namespace, *Netdev) bool) {
	for i := range s.Namespaces {
		ns := &s.Namespaces[i]
		for j := range ns.Netdevs {
			if !yield(ns, &ns.Netdevs[j]) {
				return
			}
		}
	}
}

// Netdev returns the netdev of a namespace with that name; nil if there is none.
func (n *Namespace) Netdev(name string) *Netdev {
	for i := range n.Netdevs {
		if n.Netdevs[i].Name == name {
			return &n.Netdevs[i]
		}
	}
	return nil
}

// Label says which namespace n is, within a sentence.
func (n *Namespace) Label() string {
	if n.Name == "" {
		return "this network namespace"
	}
	return fmt.Sprintf("network namespace %s", n.Name)
}
