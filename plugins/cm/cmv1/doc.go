// Package cmv1 is the language of the questions that the cm client answers:
// the messages and services of cm.proto.
package cmv1

//go:generate go run github.com/ibctl/ibctl/internal/protogen/gen cm.proto
