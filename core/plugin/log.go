package plugin

import (
	"io"
	"log/slog"
	"os"
)

// logTo makes slog, and with it package log, write JSON lines to w, which ibctl
// reads into its own log. Lines survive the process that wrote them, so a crash
// loses nothing.
func logTo(w io.Writer) {
	level := slog.LevelInfo
	if text := os.Getenv(EnvLogLevel); text != "" {
		// A level that does not parse leaves Info.
		_ = level.UnmarshalText([]byte(text))
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})))
}
