package api

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// Frame is a message that is passed on as it is.
type Frame struct{ data []byte }

// Codec encodes messages as [pluginv1.Codec] does, and a [*Frame] not at all.
func Codec() encoding.CodecV2 { return codec{pluginv1.Codec()} }

type codec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*Frame); ok {
		return mem.BufferSlice{mem.SliceBuffer(f.data)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*Frame); ok {
		f.data = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// String keeps what is in it out of logs.
func (f *Frame) String() string { return fmt.Sprintf("%d octets", len(f.data)) }

// NewFrame returns a message that is data already.
func NewFrame(data []byte) *Frame { return &Frame{data} }
