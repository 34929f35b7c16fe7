// Package apiv1 is the language between ibctl and ibctl serve: the messages and
// the service of daemon.proto.
package apiv1

//go:generate go run github.com/ibctl/ibctl/internal/protogen/gen daemon.proto
