package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/journal"
	"github.com/ibctl/ibctl/internal/libenv"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/resources"
	"github.com/ibctl/ibctl/internal/subsystem"
	"github.com/ibctl/ibctl/internal/takedown"
)

// TestEveryKindHasASchema, and every schema a kind that is printed.
func TestEveryKindHasASchema(t *testing.T) {
	used := []string{"Error", "Warning"} // which package output prints by itself
	for _, file := range sources(t) {
		for _, m := range regexp.MustCompile(`Kind: +"([A-Za-z]+)"`).FindAllStringSubmatch(file, -1) {
			used = append(used, m[1])
		}
	}
	for _, kind := range listKinds {
		used = append(used, kind)
	}
	used = append(used, portView.kind, countView.kind, sumView("pid").kind)
	slices.Sort(used)
	used = slices.Compact(used)
	for _, kind := range used {
		if _, err := output.Schema(kind); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, kind := range output.Kinds() {
		if !slices.Contains(used, kind) {
			t.Errorf("nothing prints kind %s, which has a schema", kind)
		}
	}
}

// sources returns the texts of this package's files, tests excepted.
func sources(t *testing.T) (texts []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

// FuzzDocuments fills what verbs print with any texts and numbers, and prints it
// in every format: what says that it is JSON or YAML is, and nothing holds what a
// terminal obeys.
func FuzzDocuments(f *testing.F) {
	for _, s := range []string{"", "rxe0", "null", "\x00", "\x1b[2J", "\u202e", "\u2028", "\U000e0001", "\xff\xfe", "\xed\xa0\x80", `"`, `\`, "a\nb", "{}", "- a: b", "</script>"} {
		for which := range fuzzed() {
			f.Add(s, uint64(1<<64-1), -1e308, uint8(which))
		}
	}
	f.Fuzz(func(t *testing.T, s string, n uint64, x float64, which uint8) {
		all := fuzzed()
		if which < math.MaxUint8 {
			all = all[int(which)%len(all):][:1]
		}
		for _, try := range all {
			try(t, filler{s, n, x})
		}
	})
}

// fuzzed are the documents that FuzzDocuments fills, and what else is printed.
func fuzzed() []func(*testing.T, filler) {
	return []func(*testing.T, filler){
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[rdma.Device]{RDMA: rdmaDevices, Name: func(d rdma.Device) string { return d.Name },
				Legacy: map[output.Format]func([]rdma.Device) []string{output.IBDev2Netdev: ibdev2netdev}},
				func(d []rdma.Device) output.Body { return output.Records(devRecords(d)) })
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[gidItem]{Name: gidItem.name,
				Legacy: map[output.Format]func([]gidItem) []string{output.ShowGIDs: showGIDs}}, rowsOf(gidColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[cmID]{Name: cmID.name, RDMA: rdmaCMIDs}, rowsOf(cmIDColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[statItem]{Name: statItem.name, RDMA: rdmaStats}, rowsOf(statRateColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[counters.QPSet]{Name: func(s counters.QPSet) string { return s.Device }, RDMA: rdmaQPSets}, rowsOf(qpSetColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[counters.MRSet]{Name: mrSetName, RDMA: rdmaMRSets}, rowsOf(mrSetColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[counters.Mode]{Name: func(m counters.Mode) string { return m.Device }, RDMA: rdmaModes}, rowsOf(statModeColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[holders.Holder]{Name: holderName}, rowsOf(holderColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[journal.Event]{Name: func(e journal.Event) string { return e.Device }}, rowsOf(eventColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[clientItem]{Name: func(i clientItem) string { return i.Name }}, rowsOf(clientColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[waitItem]{Name: waitItem.name}, rowsOf(waitColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[portItem]{Name: portItem.name, RDMA: rdmaPorts}, rowsOf(append(portView.marks, portColumns...)))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[portItem]{Name: portItem.name}, func(p []portItem) output.Body { return output.Records(portRecords(p)) })
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[subsystem.Namespace]{Name: namespaceName}, func(n []subsystem.Namespace) output.Body {
				return output.Rows(namespaceRows(n), namespaceColumns)
			})
		},
		func(t *testing.T, fill filler) {
			for _, k := range resources.Kinds() {
				tryObjects(t, fill, k)
			}
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[subsystem.State]{Name: func(s subsystem.State) string { return text(s.Netns) }, RDMA: rdmaSystem}, noBody)
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[deviceItem]{Name: func(d deviceItem) string { return d.Name }}, noBody)
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[cmDefault]{Name: func(d cmDefault) string { return d.Device }}, noBody)
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[cmListenEvent]{Name: func(cmListenEvent) string { return "-" }}, noBody)
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[pingReply]{Name: func(pingReply) string { return "-" }}, func(r []pingReply) output.Body { return output.Lines([]string{r[0].line()}) })
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[*pingRun]{Name: func(r *pingRun) string { return r.Address }}, noBody)
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[cmResolution]{Name: cmResolution.name}, func(r []cmResolution) output.Body { return output.Records(resolutionRecords(r)) })
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[cmCounter]{Name: func(c cmCounter) string { return c.Device }}, noBody)
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[libenv.Explanation]{Name: func(e libenv.Explanation) string { return e.Variable }},
				func(e []libenv.Explanation) output.Body { return output.Records(explanationRecords(e)) })
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[gidAudit]{Name: gidAudit.name}, auditBody)
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[gidExplanation]{Name: gidExplanation.name}, explainBody)
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[gidResolution]{Name: gidResolution.name}, func(r []gidResolution) output.Body { return output.Records(gidResolutionRecords(r)) })
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[setting]{Name: func(s setting) string { return s.Name }}, func(s []setting) output.Body { return output.Lines(settingLines(s)) })
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[gidChange]{Name: func(c gidChange) string { return c.Device }}, rowsOf(gidChangeColumns))
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[takedown.Step]{Name: func(s takedown.Step) string { return s.Device }}, func(s []takedown.Step) output.Body { return output.Rows(numbered(s), stepColumns) })
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[kind]{Name: func(k kind) string { return k.Kind }}, noBody)
		},
		func(t *testing.T, fill filler) {
			tryFormats(t, fill, output.Result[build]{Name: func(b build) string { return b.Version }}, rowsOf(versionColumns))
		},
		tryKernelEvent,
		tryProblems,
		tryBatchResult,
	}
}

// TestFuzzKnowsEveryDocument: what verbs print results of is filled by FuzzDocuments.
func TestFuzzKnowsEveryDocument(t *testing.T) {
	text, err := os.ReadFile("documents_test.go")
	if err != nil {
		t.Fatal(err)
	}
	items := regexp.MustCompile(`output\.Result\[([^\]]+)\]\{`)
	for _, file := range sources(t) {
		for _, m := range items.FindAllStringSubmatch(file, -1) {
			if m[1] != "T" && !strings.Contains(string(text), m[0]) {
				t.Errorf("FuzzDocuments prints no %s", m[1])
			}
		}
	}
}

func noBody[T any]([]T) output.Body { return output.Lines(nil) }

// tryObjects fills the attributes of objects, with each type of value.
func tryObjects(t *testing.T, fill filler, k resources.Kind) {
	t.Helper()
	name := func(l resources.Attrs) string { return l.Text("device") }
	tryFormats(t, fill, output.Result[resources.Attrs]{Name: name, RDMA: rdmaResources(k, true)}, rowsOf(objectColumns(k)))
	var l resources.Attrs
	for i, key := range append(resources.Keys(k), "drv_"+fill.text, resources.RawKey, fill.text) {
		value := []any{fill.text, fill.number, int64(fill.number), fill.number&1 == 0, []string{fill.text}, resources.Octets(fill.text)}[i%6]
		if key == resources.RawKey {
			value = resources.Octets(fill.text)
		}
		l = append(l, resources.Attr{Key: key, Value: value, Hex: i%2 == 0})
	}
	for _, rdma := range []func([]resources.Attrs) []output.Object{rdmaResources(k, true), rdmaCounts, rdmaRaw} {
		printFormats(t, fill, output.Result[resources.Attrs]{Name: name, RDMA: rdma, Items: []resources.Attrs{l, markAttrs(l, time.Unix(0, 0), fill.text)}},
			rawView(k).body)
	}
}

// tryKernelEvent is for events that come one by one.
func tryKernelEvent(t *testing.T, fill filler) {
	t.Helper()
	var e host.KernelEvent
	fill.value(reflect.ValueOf(&e).Elem())
	var out bytes.Buffer
	for n := range 3 {
		out.Reset()
		array := output.NewArray(output.Printer{Out: &out})
		for range n {
			if err := array.Add(rdmaEvent(e)); err != nil {
				t.Fatal(err)
			}
		}
		if err := array.Close(); err != nil {
			t.Fatal(err)
		}
		checkOutput(t, "kernel events", output.RDMAJSON, out.String())
	}
}

// tryProblems is for errors and warnings in every format.
func tryProblems(t *testing.T, fill filler) {
	t.Helper()
	for _, f := range output.Formats() {
		var errs bytes.Buffer
		p := output.Printer{Err: &errs, Format: f, Where: fill.text}
		p.Error(output.Problem{Code: 1, Reason: fill.text, Message: fill.text, Candidates: []string{fill.text}, Hint: fill.text})
		p.Warn(rdma.Warning{Object: fill.text, Op: fill.text, Err: fmt.Errorf("%s", fill.text)})
		for line := range strings.Lines(errs.String()) {
			checked := output.Table
			if f.Structured() {
				checked = output.JSONL
			}
			checkOutput(t, fmt.Sprintf("problems as %s", f), checked, line)
		}
	}
}

func rowsOf[T any](columns []output.Column[T]) func([]T) output.Body {
	return func(items []T) output.Body { return output.Rows(items, columns) }
}

// tryFormats prints one item that is filled in every format that there is for it.
func tryFormats[T any](t *testing.T, fill filler, r output.Result[T], body func([]T) output.Body) {
	var item T
	fill.value(reflect.ValueOf(&item).Elem())
	r.Items = []T{item}
	printFormats(t, fill, r, body)
}

// printFormats prints items in every format.
func printFormats[T any](t *testing.T, fill filler, r output.Result[T], body func([]T) output.Body) {
	t.Helper()
	item := r.Items[0]
	r.Kind, r.Body = "Test", body(r.Items)
	r.Warnings = []rdma.Warning{{Object: fill.text, Op: fill.text, Err: fmt.Errorf("%s", fill.text)}}
	formats := append(output.Formats(), output.RDMAJSON)
	for f := range r.Legacy {
		formats = append(formats, f)
	}
	for _, text := range append(textsOf(formats), "jsonpath={.items}", "custom-columns=A:.device,B:.name,C:.ports") {
		f, template, err := output.ParseFormat(text)
		if err != nil {
			t.Fatal(err)
		}
		if f == output.RDMAJSON && r.RDMA == nil {
			continue
		}
		var out, errs bytes.Buffer
		if err := output.Print(output.Printer{Out: &out, Err: &errs, Format: f, Template: template}, r); err != nil {
			t.Fatalf("%T as %s: %v", item, text, err)
		}
		checkOutput(t, fmt.Sprintf("%T as %s", item, text), f, out.String())
		checkOutput(t, fmt.Sprintf("%T as %s, warnings", item, text), output.Table, errs.String())
	}
}

func textsOf(formats []output.Format) (texts []string) {
	for _, f := range formats {
		texts = append(texts, string(f))
	}
	return texts
}

func tryBatchResult(t *testing.T, fill filler) {
	var r batchResult
	fill.value(reflect.ValueOf(&r).Elem())
	r.Result = nil
	r.setOutput([]byte(fill.text))
	var out bytes.Buffer
	if err := (output.Printer{Out: &out}).Line(r); err != nil {
		t.Fatal(err)
	}
	checkOutput(t, "batch result", output.JSON, out.String())
}

// checkOutput makes sure of the form, and that no terminal would obey.
func checkOutput(t *testing.T, what string, f output.Format, text string) {
	t.Helper()
	var v any
	switch f {
	case output.JSONL:
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: not JSON: %q", what, line)
			}
		}
	case output.JSON, output.RDMAJSON, output.JSONPath:
		if !json.Valid([]byte(text)) {
			t.Errorf("%s: not JSON: %q", what, text)
		}
	case output.YAML:
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Errorf("%s: not YAML: %v: %q", what, err, text)
		}
	}
	obeyed := func(r rune) bool {
		return r != '\n' && (r != '\t' || f != output.ShowGIDs) && !strconv.IsPrint(r)
	}
	if strings.ContainsFunc(text, obeyed) || !utf8.ValidString(text) {
		t.Errorf("%s: a terminal would obey this: %q", what, text)
	}
}

// filler puts a text, a number and a fraction wherever one fits.
type filler struct {
	text     string
	number   uint64
	fraction float64
}

// value fills what v has that can be set. Types that read themselves get what
// they accept of it.
func (f filler) value(v reflect.Value) {
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok && v.CanSet() {
		f.unmarshal(u)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text)
	case reflect.Bool:
		v.SetBool(f.number&1 == 1)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.number >> (65 - v.Type().Bits()) & (1<<31 - 1)))
	case reflect.Uint, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(f.number >> (64 - v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(f.finite())
	case reflect.Slice:
		f.slice(v)
	case reflect.Map:
		f.entry(v)
	case reflect.Interface: // the value of an attribute
		v.Set(reflect.ValueOf(f.text))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.value(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				f.value(v.Field(i))
			}
		}
	}
}

// finite leaves out what JSON has no word for.
func (f filler) finite() float64 {
	if f.fraction-f.fraction != 0 {
		return 0
	}
	return f.fraction
}

func (f filler) slice(v reflect.Value) {
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		text, _ := json.Marshal(f.text)
		v.SetBytes(text)
		return
	}
	s := reflect.MakeSlice(v.Type(), 1, 1)
	f.value(s.Index(0))
	v.Set(s)
}

func (f filler) entry(v reflect.Value) {
	key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
	f.value(key)
	f.value(value)
	v.Set(reflect.MakeMap(v.Type()))
	v.SetMapIndex(key, value)
}

// unmarshal offers a text, a number and a fraction.
func (f filler) unmarshal(u json.Unmarshaler) {
	text, _ := json.Marshal(f.text)
	for _, offer := range []string{string(text), strconv.FormatUint(f.number, 10), strconv.FormatUint(f.number>>32, 10), strconv.FormatFloat(f.finite(), 'g', -1, 64), "true"} {
		if u.UnmarshalJSON([]byte(offer)) == nil {
			return
		}
	}
}
