package protogen

import (
	"fmt"

	"google.golang.org/protobuf/types/descriptorpb"
)

// Breaks compares a contract with its frozen form, and returns in what ways the
// new one is not what was promised: whatever was frozen stays, by number, name and
// type. What is new is no break.
func Breaks(frozen, now *descriptorpb.FileDescriptorProto) []string {
	var b breaks
	b.same("syntax", frozen.GetSyntax(), now.GetSyntax())
	b.same("package", frozen.GetPackage(), now.GetPackage())
	b.messages("", frozen.GetMessageType(), now.GetMessageType())
	b.enums("", frozen.GetEnumType(), now.GetEnumType())
	b.services(frozen.GetService(), now.GetService())
	return b
}

type breaks []string

func (b *breaks) add(format string, args ...any) { *b = append(*b, fmt.Sprintf(format, args...)) }

func (b *breaks) same(what string, frozen, now any) {
	if frozen != now {
		b.add("%s: %v, was %v", what, now, frozen)
	}
}

// named is what all descriptors have in common.
type named interface{ GetName() string }

// each calls compare for every frozen item and its present form, and notes those
// that have none.
func each[T named](b *breaks, scope string, frozen, now []T, compare func(name string, frozen, now T)) {
	byName := make(map[string]T)
	for _, x := range now {
		byName[x.GetName()] = x
	}
	for _, x := range frozen {
		name := scope + x.GetName()
		if y, ok := byName[x.GetName()]; ok {
			compare(name, x, y)
		} else {
			b.add("%s: gone", name)
		}
	}
}

func (b *breaks) messages(scope string, frozen, now []*descriptorpb.DescriptorProto) {
	each(b, scope, frozen, now, func(name string, frozen, now *descriptorpb.DescriptorProto) {
		each(b, name+".", frozen.GetField(), now.GetField(), func(name string, x, y *descriptorpb.FieldDescriptorProto) {
			b.same(name+" number", x.GetNumber(), y.GetNumber())
			b.same(name+" label", x.GetLabel(), y.GetLabel())
			b.same(name+" type", x.GetType(), y.GetType())
			b.same(name+" type name", x.GetTypeName(), y.GetTypeName())
			b.same(name+" optional", x.GetProto3Optional(), y.GetProto3Optional())
			b.same(name+" oneof", oneof(frozen, x), oneof(now, y))
		})
		b.messages(name+".", frozen.GetNestedType(), now.GetNestedType())
		b.enums(name+".", frozen.GetEnumType(), now.GetEnumType())
	})
}

// oneof returns the name of the group that f belongs to, if it does.
func oneof(m *descriptorpb.DescriptorProto, f *descriptorpb.FieldDescriptorProto) string {
	if f.OneofIndex == nil {
		return ""
	}
	return m.GetOneofDecl()[f.GetOneofIndex()].GetName()
}

func (b *breaks) enums(scope string, frozen, now []*descriptorpb.EnumDescriptorProto) {
	each(b, scope, frozen, now, func(name string, frozen, now *descriptorpb.EnumDescriptorProto) {
		each(b, name+".", frozen.GetValue(), now.GetValue(), func(name string, x, y *descriptorpb.EnumValueDescriptorProto) {
			b.same(name+" number", x.GetNumber(), y.GetNumber())
		})
	})
}

func (b *breaks) services(frozen, now []*descriptorpb.ServiceDescriptorProto) {
	each(b, "", frozen, now, func(name string, frozen, now *descriptorpb.ServiceDescriptorProto) {
		each(b, name+".", frozen.GetMethod(), now.GetMethod(), func(name string, x, y *descriptorpb.MethodDescriptorProto) {
			b.same(name+" input", x.GetInputType(), y.GetInputType())
			b.same(name+" output", x.GetOutputType(), y.GetOutputType())
			b.same(name+" client streaming", x.GetClientStreaming(), y.GetClientStreaming())
			b.same(name+" server streaming", x.GetServerStreaming(), y.GetServerStreaming())
		})
	})
}
