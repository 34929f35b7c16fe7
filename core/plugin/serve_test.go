package plugin

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

func TestServeName(t *testing.T) {
	tests := []struct {
		args []string
		name string
		ok   bool
	}{
		{ServeArgs("roce"), "roce", true},
		{[]string{"exe", "plugin-serve", "cm"}, "cm", true},
		{[]string{"ibctl", "plugin-serve"}, "", false},
		{[]string{"ibctl", "plugin-serve", "cm", "more"}, "", false},
		{[]string{"ibctl", "gid", "show"}, "", false},
		{nil, "", false},
	}
	for _, tt := range tests {
		if name, ok := ServeName(tt.args); name != tt.name || ok != tt.ok {
			t.Errorf("%q: %q, %v", tt.args, name, ok)
		}
	}
}

func TestLogLevel(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	for level, want := range map[string]string{"": "info warn", "debug": "debug info warn", "warn": "warn", "nonsense": "info warn"} {
		t.Setenv(EnvLogLevel, level)
		var out bytes.Buffer
		logTo(&out)
		slog.Debug("debug")
		slog.Info("info")
		slog.Warn("warn")
		var got []string
		for line := range strings.Lines(out.String()) {
			_, msg, _ := strings.Cut(line, `"msg":"`)
			msg, _, _ = strings.Cut(msg, `"`)
			got = append(got, msg)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("level %q: %q, want %q", level, got, want)
		}
	}
}

// TestErrorsKeepTheirErrno across a handler of the author's own.
func TestErrorsKeepTheirErrno(t *testing.T) {
	_, err := unaryErrors(t.Context(), nil, nil, func(context.Context, any) (any, error) { return nil, syscall.ENODEV })
	if !errors.Is(pluginv1.FromStatus(err), syscall.ENODEV) {
		t.Errorf("unary: %v", err)
	}
	err = streamErrors(nil, nil, nil, func(any, grpc.ServerStream) error { return syscall.EBUSY })
	if !errors.Is(pluginv1.FromStatus(err), syscall.EBUSY) {
		t.Errorf("stream: %v", err)
	}
}
