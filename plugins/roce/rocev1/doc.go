// Package rocev1 is the language in which the roce client is asked: the messages
// and the service of roce.proto, and their translation to and from the types of
// core/rdma.
package rocev1

//go:generate go run github.com/ibctl/ibctl/internal/protogen/gen roce.proto audit.proto
