// Package pluginv1 is the language that ibctl and its plugins share: the
// messages and services of plugin.proto, and their translation to and from the
// types of core. It lies beneath both sides and knows neither.
package pluginv1

//go:generate go run github.com/ibctl/ibctl/internal/protogen/gen plugin.proto
