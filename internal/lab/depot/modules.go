package depot

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ModuleFiles returns the files of the named modules and of all they depend on, in the order in which they must be loaded.
// Modules that are built into the kernel have no file and are left out.
func (k Kernel) ModuleFiles(names ...string) ([]string, error) {
	deps, err := k.readDep()
	if err != nil {
		return nil, err
	}
	builtin, err := k.readBuiltin()
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range names {
		if builtin[name] {
			continue
		}
		chain, ok := deps[name]
		if !ok {
			return nil, fmt.Errorf("lab: kernel %s has no module %s", k.Release, name)
		}
		for _, file := range slices.Backward(chain) { // modules.dep lists what must come first last
			if path := filepath.Join(k.Modules, file); !slices.Contains(files, path) {
				files = append(files, path)
			}
		}
	}
	return files, nil
}

// readDep maps a module's name to its file and those of its dependencies, as modules.dep(5) has them.
func (k Kernel) readDep() (map[string][]string, error) {
	deps := make(map[string][]string)
	err := k.eachLine("modules.dep", func(line string) {
		file, rest, _ := strings.Cut(line, ":")
		deps[moduleName(file)] = append([]string{file}, strings.Fields(rest)...)
	})
	return deps, err
}

func (k Kernel) readBuiltin() (map[string]bool, error) {
	builtin := make(map[string]bool)
	err := k.eachLine("modules.builtin", func(line string) { builtin[moduleName(line)] = true })
	return builtin, err
}

func (k Kernel) eachLine(name string, do func(line string)) error {
	f, err := os.Open(filepath.Join(k.Modules, name))
	if err != nil {
		return fmt.Errorf("lab: kernel %s: %w", k.Release, err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		do(sc.Text())
	}
	return sc.Err()
}

// moduleName turns a file name into the name that the kernel has for the module: kernel/net/8021q/8021q.ko.xz is 8021q.
func moduleName(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}
