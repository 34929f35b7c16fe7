package pluginv1

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/ibctl/ibctl/core/rdma"
)

// TestCodecOfForeignText: a description that is no UTF-8 costs its letters, and
// nothing else of the message.
func TestCodecOfForeignText(t *testing.T) {
	d := full()
	d.NodeDesc, d.CharDevs, d.Ports[0].Netdev = "Ger\xe4t 1", []string{"a\xff", "b"}, "\xc3"
	want := full()
	want.NodeDesc, want.CharDevs, want.Ports[0].Netdev = "Ger\ufffdt 1", []string{"a\ufffd", "b"}, "\ufffd"
	sent := NewDevice(d)
	if _, err := proto.Marshal(sent); err == nil {
		t.Fatal("protobuf takes what is no UTF-8: the codec is not needed any more")
	}
	got := &Device{}
	pass(t, sent, got)
	if want := NewDevice(want); !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if sent.GetNodeDesc() != d.NodeDesc {
		t.Errorf("the message itself was changed: %q", sent.GetNodeDesc())
	}
}

// TestCodecOfForeignKeys: a map's keys and values are texts, too.
func TestCodecOfForeignKeys(t *testing.T) {
	sent := &structpb.Struct{Fields: map[string]*structpb.Value{
		"k\xff": structpb.NewStringValue("v\xfe"),
		"plain": structpb.NewNumberValue(1),
	}}
	got := &structpb.Struct{}
	pass(t, sent, got)
	if v, ok := got.GetFields()["k\ufffd"]; len(got.GetFields()) != 2 || !ok || v.GetStringValue() != "v\ufffd" {
		t.Errorf("got %v", got)
	}
}

// pass sends a message through the codec.
func pass(t *testing.T, sent, got proto.Message) {
	t.Helper()
	data, err := Codec().Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Free()
	if err := Codec().Unmarshal(data, got); err != nil {
		t.Fatal(err)
	}
}

// TestErrorOfForeignText: an error about such a name keeps its errno on its way.
func TestErrorOfForeignText(t *testing.T) {
	err := FromStatus(ToStatus(fmt.Errorf("open %s: %w", "eth\xff", syscall.ENOENT)))
	if !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "eth\ufffd") {
		t.Errorf("got %v", err)
	}
}

func FuzzCodec(f *testing.F) {
	f.Add("Ger\xe4t", "\xff")
	f.Add("plain", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		sent, got := NewDevice(rdma.Device{Name: a, Capabilities: []string{b}, Ports: []rdma.Port{{Netdev: b}}}), &Device{}
		pass(t, sent, got)
		if got.GetName() != readableText(a) || got.GetPorts()[0].GetNetdev() != readableText(b) {
			t.Errorf("got %v from %q, %q", got, a, b)
		}
	})
}
