package output

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compile returns the schema of kind, ready to validate with.
func compile(t testing.TB, kind string) *jsonschema.Schema {
	t.Helper()
	text, err := Schema(kind)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("schema %s: %v", kind, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(kind, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(kind)
	if err != nil {
		t.Fatalf("schema %s: %v", kind, err)
	}
	return schema
}

func validate(t testing.TB, kind string, text []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v\n%s", kind, err, text)
	}
	if err := compile(t, kind).Validate(doc); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestEverySchemaCompiles(t *testing.T) {
	if len(Kinds()) == 0 {
		t.Fatal("no kinds")
	}
	for _, kind := range Kinds() {
		compile(t, kind)
	}
	if _, err := Schema("../doc"); err == nil {
		t.Error("a schema for a kind that does not exist")
	}
}
