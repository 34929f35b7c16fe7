package protogen

import (
	"io/fs"
	"os"
	"path"
	"strings"
)

// Files returns the .proto files below the module root, as slash-separated paths.
func Files(root string) ([]string, error) { return find(root, ".proto") }

// Outputs returns the generated files below the module root.
func Outputs(root string) ([]string, error) { return find(root, ".pb.go") }

func find(root, suffix string) ([]string, error) {
	var list []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path.Base(name) == "testdata" || strings.HasPrefix(path.Base(name), ".") && name != "."):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, suffix):
			list = append(list, name)
		}
		return nil
	})
	return list, err
}
