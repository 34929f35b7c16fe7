package main

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/resources"
)

// rawView shows objects with the records that drivers have of them.
func rawView(k resources.Kind) view[resources.Attrs] {
	v := objectView(k, false)
	v.rdma = rdmaRaw
	v.body = func(items []resources.Attrs) output.Body {
		records := make([]output.Record, len(items))
		for i, l := range items {
			records[i] = output.Record{Title: v.name(l), Fields: dumpFields(rawOf(l))}
		}
		return output.Records(records)
	}
	return v
}

func rawOf(l resources.Attrs) resources.Octets {
	a, _ := l.Get(resources.RawKey)
	raw, _ := a.Value.(resources.Octets)
	return raw
}

// octetsALine are how many octets of a record stand side by side.
const octetsALine = 16

// dumpFields shows octets with the offset of each line's first.
func dumpFields(raw resources.Octets) (fields []output.Field) {
	if raw == nil {
		return []output.Field{{Label: "raw", Value: "-"}}
	}
	offset := 0
	for line := range slices.Chunk(raw, octetsALine) {
		fields = append(fields, output.Field{Label: fmt.Sprintf("%04x", offset), Value: spaced(line)})
		offset += octetsALine
	}
	return fields
}

func spaced(octets []byte) string {
	words := make([]string, len(octets))
	for i, o := range octets {
		words[i] = hex.EncodeToString([]byte{o})
	}
	return strings.Join(words, " ")
}

// rdmaRaw is rdma -j -r resource show: the octets alone, as numbers.
func rdmaRaw(items []resources.Attrs) (objects []output.Object) {
	for _, l := range items {
		raw := rawOf(l)
		if raw == nil {
			continue
		}
		numbers := make([]uint, len(raw))
		for i, octet := range raw {
			numbers[i] = uint(octet)
		}
		o := rdmaDevice(l)
		o.Add("data", numbers)
		objects = append(objects, o)
	}
	return objects
}
