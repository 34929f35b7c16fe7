// Command gen writes the Go code of .proto files beside them:
//
//	//go:generate go run github.com/ibctl/ibctl/internal/protogen/gen plugin.proto
//
// With -freeze it writes the frozen form of the contract instead, which is done
// once for each release; see package protogen.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ibctl/ibctl/internal/protogen"
)

func main() {
	freeze := flag.Bool("freeze", false, "write the frozen form of the contract")
	flag.Parse()
	for _, file := range flag.Args() {
		if err := run(context.Background(), file, *freeze); err != nil {
			fmt.Fprintln(os.Stderr, "protogen:", err)
			os.Exit(1)
		}
	}
}

func run(ctx context.Context, file string, freeze bool) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	root, err := protogen.Root(filepath.Dir(abs))
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	if freeze {
		return protogen.Freeze(ctx, root, rel)
	}
	return generate(ctx, root, rel)
}

func generate(ctx context.Context, root, rel string) error {
	out, err := protogen.Generate(ctx, root, rel)
	if err != nil {
		return err
	}
	for name, text := range out {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
