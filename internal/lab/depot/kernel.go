package depot

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Kernel is an unpacked kernel.
type Kernel struct {
	Series  Series
	Release string // uname -r
	Image   string // file name of the bzImage
	Modules string // lib/modules/RELEASE: the directory with modules.dep
}

// find looks for the newest kernel of the series in dir and in the directories in it. If there is none, the error is an
// os.ErrNotExist.
func find(dir string, s Series) (Kernel, error) {
	var best string
	for _, lib := range []string{"lib", "usr/lib", "*/lib", "*/usr/lib"} {
		trees, err := filepath.Glob(filepath.Join(dir, lib, "modules", "*"))
		if err != nil {
			return Kernel{}, fmt.Errorf("lab: look for kernels in %s: %w", dir, err)
		}
		for _, tree := range trees {
			if release := filepath.Base(tree); s.Has(release) && compareVersions(release, filepath.Base(best)) > 0 {
				best = tree
			}
		}
	}
	if best != "" {
		return open(best, s)
	}
	return Kernel{}, fmt.Errorf("lab: no kernel %s in %s: %w", s, dir, os.ErrNotExist)
}

// compareVersions orders versions by their numbers, and where these are the same by the rest of the text.
func compareVersions(a, b string) int {
	return cmp.Or(slices.Compare(numbers(a), numbers(b)), strings.Compare(a, b))
}

func numbers(version string) []int {
	var out []int
	for _, digits := range strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(digits) // too many digits count as the most
		out = append(out, n)
	}
	return out
}

// open checks that what a boot needs is there. Its errors are no os.ErrNotExist: a tree that is there and broken is for people.
func open(tree string, s Series) (Kernel, error) {
	k := Kernel{Series: s, Release: filepath.Base(tree), Modules: tree}
	if _, err := os.Stat(filepath.Join(tree, "modules.dep")); err != nil {
		return Kernel{}, fmt.Errorf("lab: kernel %s: %v; run depmod -b on its root", k.Release, err)
	}
	lib := filepath.Dir(filepath.Dir(tree))
	images := []string{
		filepath.Join(tree, "vmlinuz"),
		filepath.Join(lib, "../boot/vmlinuz-"+k.Release),
		filepath.Join(lib, "../../boot/vmlinuz-"+k.Release),
	}
	for _, image := range images {
		if _, err := os.Stat(image); err == nil {
			k.Image = image
			return k, nil
		}
	}
	return Kernel{}, fmt.Errorf("lab: kernel %s has no image; looked for %v", k.Release, images)
}

// depmod writes modules.dep and its kin. kmod looks below lib/ or below usr/lib/, as it was built, so both names must lead there.
func depmod(ctx context.Context, root string, s Series) error {
	if err := unifyLib(root); err != nil {
		return err
	}
	trees, err := filepath.Glob(filepath.Join(root, "lib/modules/*"))
	if err != nil {
		return err
	}
	for _, tree := range trees {
		out, err := command(ctx, "/sbin/depmod", "-b", root, filepath.Base(tree)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("depmod: %w: %s", err, out)
		}
	}
	return nil
}

// unifyLib makes lib and usr/lib one directory, whichever of them the packages have used.
func unifyLib(root string) error {
	lib, usrLib := filepath.Join(root, "lib"), filepath.Join(root, "usr/lib")
	if _, err := os.Lstat(lib); os.IsNotExist(err) {
		return os.Symlink("usr/lib", lib)
	}
	if _, err := os.Lstat(usrLib); os.IsNotExist(err) {
		return os.Symlink("../lib", usrLib)
	}
	return nil
}

// command is exec.CommandContext for programs whose messages are read by a program: they shall be in English.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}
