// Package protogen turns .proto files into Go with nothing but Go modules:
// protocompile parses, and the two plugins that go.mod names as tools write the
// code. It also holds the frozen form of each contract, so that a change which
// would break released plugins is seen.
//
// It is a build tool. Nothing that ibctl runs imports it.
package protogen

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// generators are the tools run on each file, in go.mod's words.
var generators = []string{"protoc-gen-go", "protoc-gen-go-grpc"}

// Generate compiles file, a slash-separated path below the module root, which
// is also the root that its imports are relative to. It returns the text of each
// generated file by its path below root.
func Generate(ctx context.Context, root, file string) (map[string][]byte, error) {
	desc, err := compile(ctx, root, file)
	if err != nil {
		return nil, err
	}
	request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{file},
		Parameter:      proto.String("paths=source_relative"),
		ProtoFile:      withImports(desc),
	})
	if err != nil {
		return nil, fmt.Errorf("encode request for %s: %w", file, err)
	}
	out := make(map[string][]byte)
	for _, tool := range generators {
		if err := runTool(ctx, root, tool, request, out); err != nil {
			return nil, fmt.Errorf("generate %s: %w", file, err)
		}
	}
	return out, nil
}

// compile parses and links one file. The comments are kept: they become the Go
// documentation.
func compile(ctx context.Context, root, file string) (protoreflect.FileDescriptor, error) {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{root}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	return files[0], nil
}

// withImports lists a file after everything it imports, as generators want it.
func withImports(desc protoreflect.FileDescriptor) []*descriptorpb.FileDescriptorProto {
	var list []*descriptorpb.FileDescriptorProto
	seen := make(map[string]bool)
	var visit func(protoreflect.FileDescriptor)
	visit = func(d protoreflect.FileDescriptor) {
		if seen[d.Path()] {
			return
		}
		seen[d.Path()] = true
		for i := range d.Imports().Len() {
			visit(d.Imports().Get(i).FileDescriptor)
		}
		list = append(list, protoutil.ProtoFromFileDescriptor(d))
	}
	visit(desc)
	return list
}

func runTool(ctx context.Context, root, tool string, request []byte, out map[string][]byte) error {
	cmd := exec.CommandContext(ctx, "go", "tool", tool)
	cmd.Dir = root
	cmd.Stdin = bytes.NewReader(request)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", tool, err, strings.TrimSpace(stderr.String()))
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(raw, &response); err != nil {
		return fmt.Errorf("%s: decode response: %w", tool, err)
	}
	if response.Error != nil {
		return fmt.Errorf("%s: %s", tool, response.GetError())
	}
	for _, f := range response.GetFile() {
		out[f.GetName()] = []byte(f.GetContent())
	}
	return nil
}

// Root returns the module root at or above dir.
func Root(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("find module root: no go.mod at or above %s", dir)
		}
	}
}
