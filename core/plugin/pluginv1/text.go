package pluginv1

import (
	"strings"

	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Codec encodes messages as gRPC does by itself, and those as well that gRPC
// refuses: texts that are not UTF-8 are made so, octet by octet, with U+FFFD. The
// kernel cares for no encoding, whoever runs a program may name it as they like,
// and it cuts names in the middle of a letter: one such name must not end the
// conversation about everything else.
//
// A Codec may be used by any number of goroutines at once.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2(grpcproto.Name)} }

type codec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	data, err := c.CodecV2.Marshal(v)
	m, ok := v.(proto.Message)
	if err == nil || !ok {
		return data, err
	}
	readable := proto.Clone(m) // others may be reading m
	makeReadable(readable.ProtoReflect())
	return c.CodecV2.Marshal(readable)
}

func readableText(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// makeReadable makes the texts of a message UTF-8, and those of all messages in it.
func makeReadable(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap():
			makeMapReadable(m.Mutable(field).Map(), field)
		case field.IsList():
			list := m.Mutable(field).List()
			for i := range list.Len() {
				list.Set(i, readableValue(field, list.Get(i)))
			}
		default:
			m.Set(field, readableValue(field, v))
		}
		return true
	})
}

// makeMapReadable changes values; a key may not change while the map is walked.
func makeMapReadable(entries protoreflect.Map, field protoreflect.FieldDescriptor) {
	var keys []protoreflect.MapKey
	entries.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key)
		return true
	})
	for _, key := range keys {
		v := entries.Get(key)
		entries.Clear(key)
		entries.Set(readableValue(field.MapKey(), key.Value()).MapKey(), readableValue(field.MapValue(), v))
	}
}

func readableValue(field protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(readableText(v.String()))
	case protoreflect.MessageKind, protoreflect.GroupKind:
		makeReadable(v.Message())
	}
	return v
}
