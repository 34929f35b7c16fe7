// Package layout holds no code: its test holds the imports of the whole module
// against the rooms that ARCHITECTURE.md describes.
package layout
