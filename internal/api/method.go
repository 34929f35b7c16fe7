package api

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// ReadOnly tells whether a gRPC method, "/ibctl.roce.v1.RoCE/ListGIDs", is marked
// as one without side effects. One that this program does not know is not.
func ReadOnly(method string) bool {
	d := describe(method)
	if d == nil {
		return false
	}
	options, ok := d.Options().(*descriptorpb.MethodOptions)
	return ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// Unary tells whether a method is known to have one answer.
func Unary(method string) bool {
	d := describe(method)
	return d != nil && !d.IsStreamingServer()
}

func describe(method string) protoreflect.MethodDescriptor {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	if !name.IsValid() {
		return nil
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil
	}
	m, _ := d.(protoreflect.MethodDescriptor)
	return m
}
