package depot

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// metaPackage depends on the newest kernel image of a suite.
const metaPackage = "linux-image-amd64"

// kernelPart matches the packages that an image consists of. Since 7.0 it is split: the image depends on the others.
var kernelPart = regexp.MustCompile(`^linux-(image|binary|modules|base)-[0-9].*-amd64$`)

// unpackKernel unpacks the suite's newest kernel of the series into root.
func (a *apt) unpackKernel(ctx context.Context, s Series, root string) error {
	meta, err := a.show(ctx, metaPackage, s.Has)
	if err != nil {
		return err
	}
	parts := map[string]bool{}
	if err := a.closure(ctx, meta, parts); err != nil {
		return err
	}
	fmt.Fprintf(a.log, "lab: fetching kernel %s (%s)\n", s, meta.version)
	return a.unpack(ctx, sorted(parts), root)
}

// closure adds to parts the packages of the kernel that p depends on, directly or not.
func (a *apt) closure(ctx context.Context, p stanza, parts map[string]bool) error {
	for _, name := range p.depends {
		if !kernelPart.MatchString(name) || parts[name] {
			continue
		}
		parts[name] = true
		next, err := a.show(ctx, name, func(string) bool { return true })
		if err != nil {
			return err
		}
		if err := a.closure(ctx, next, parts); err != nil {
			return err
		}
	}
	return nil
}

// unpack downloads packages, which apt checks against the signed list, and unpacks them into root.
func (a *apt) unpack(ctx context.Context, names []string, root string) error {
	if _, err := a.run(ctx, "apt-get", append([]string{"download", "-q"}, names...)...); err != nil {
		return err
	}
	for _, name := range names {
		bare, _, _ := strings.Cut(name, "=")
		files, err := filepath.Glob(filepath.Join(a.dir, "debs", bare+"_*.deb"))
		if err != nil || len(files) != 1 {
			return fmt.Errorf("package %s: apt left %d files of it: %v", name, len(files), files)
		}
		if out, err := command(ctx, "dpkg", "-x", files[0], root).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg -x %s: %w: %s", files[0], err, out)
		}
		if err := os.Remove(files[0]); err != nil {
			return err
		}
	}
	return nil
}

// stanza is what the package list says about one version of a package.
type stanza struct {
	version string
	depends []string // names alone; of alternatives the first
}

// show returns the newest version of a package that is wanted.
func (a *apt) show(ctx context.Context, name string, wanted func(version string) bool) (stanza, error) {
	out, err := a.run(ctx, "apt-cache", "show", name)
	if err != nil {
		return stanza{}, err
	}
	all := parseStanzas(out)
	for _, s := range all { // apt-cache prints the newest first
		if wanted(s.version) {
			return s, nil
		}
	}
	return stanza{}, fmt.Errorf("%s is there in no version that is wanted, only in %v", name, versions(all))
}

func parseStanzas(text []byte) []stanza {
	var out []stanza
	sc := bufio.NewScanner(bytes.NewReader(text))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		field, value, _ := strings.Cut(sc.Text(), ": ")
		switch {
		case field == "Package":
			out = append(out, stanza{})
		case len(out) == 0:
		case field == "Version":
			out[len(out)-1].version = value
		case field == "Depends":
			out[len(out)-1].depends = dependencies(value)
		}
	}
	return out
}

func dependencies(value string) []string {
	var out []string
	for dep := range strings.SplitSeq(value, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(dep), " ")
		out = append(out, name)
	}
	return out
}

func versions(all []stanza) []string {
	out := []string{}
	for _, s := range all {
		out = append(out, s.version)
	}
	return out
}

func sorted(set map[string]bool) []string {
	out := []string{}
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
