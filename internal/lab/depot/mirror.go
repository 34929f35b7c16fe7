package depot

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// findMirror asks the machine's apt where Debian's main archive lies.
func findMirror(ctx context.Context) (string, error) {
	out, err := command(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)",
		"Created-By: Packages", "Origin: Debian", "Label: Debian").Output()
	if err != nil {
		return "", fmt.Errorf("apt-get indextargets: %w", err)
	}
	if uri, _, _ := strings.Cut(string(out), "\n"); uri != "" {
		return uri, nil
	}
	// A machine without package lists (a fresh container) knows no origins yet, but it knows what it would fetch.
	out, err = command(ctx, "apt-get", "update", "--print-uris", "-q").Output()
	if err != nil {
		return "", fmt.Errorf("apt-get update --print-uris: %w", err)
	}
	if uri := mirrorOf(string(out)); uri != "" {
		return uri, nil
	}
	return "", errors.New("apt has no source of Debian packages on this machine")
}

// mirrorOf picks the main archive from what apt would fetch: the first repository with a suite that has no suffix, such as
// -security or -updates, of its own.
func mirrorOf(uris string) string {
	for line := range strings.Lines(uris) {
		uri, _, _ := strings.Cut(strings.TrimPrefix(line, "'"), "'")
		base, rest, found := strings.Cut(uri, "/dists/")
		suite, file, _ := strings.Cut(rest, "/")
		if found && file == "InRelease" && !strings.Contains(suite, "-") {
			return base + "/"
		}
	}
	return ""
}
