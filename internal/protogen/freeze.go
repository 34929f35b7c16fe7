package protogen

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
)

// FrozenPath is where the frozen form of file lies: testdata/NAME.frozen beside
// it, both below the module root.
func FrozenPath(file string) string {
	return path.Join(path.Dir(file), "testdata", path.Base(file)+".frozen")
}

// Freeze writes the descriptor of file, without comments, to its FrozenPath. It
// is text, so that a review sees what a release adds.
func Freeze(ctx context.Context, root, file string) error {
	desc, err := Describe(ctx, root, file)
	if err != nil {
		return err
	}
	text, err := stableText(desc)
	if err != nil {
		return fmt.Errorf("freeze %s: %w", file, err)
	}
	target := filepath.Join(root, filepath.FromSlash(FrozenPath(file)))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, text, 0o644)
}

// Frozen reads the frozen form of file.
func Frozen(root, file string) (*descriptorpb.FileDescriptorProto, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(FrozenPath(file))))
	if err != nil {
		return nil, err
	}
	desc := new(descriptorpb.FileDescriptorProto)
	if err := prototext.Unmarshal(text, desc); err != nil {
		return nil, fmt.Errorf("read %s: %w", FrozenPath(file), err)
	}
	return desc, nil
}

// Describe compiles file and returns its descriptor without source positions.
func Describe(ctx context.Context, root, file string) (*descriptorpb.FileDescriptorProto, error) {
	compiled, err := compile(ctx, root, file)
	if err != nil {
		return nil, err
	}
	desc := proto.Clone(protoutil.ProtoFromFileDescriptor(compiled)).(*descriptorpb.FileDescriptorProto)
	desc.SourceCodeInfo = nil
	return desc, nil
}

// stableText undoes the spaces that prototext puts in at random to keep people
// from relying on its exact output.
func stableText(m proto.Message) ([]byte, error) {
	text, err := prototext.MarshalOptions{Multiline: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(text, []byte(":  "), []byte(": ")), nil
}
