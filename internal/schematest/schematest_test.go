package schematest

import (
	"slices"
	"strings"
	"testing"
)

const (
	good  = `{"apiVersion":"ibctl/v1","kind":"KindList","items":[{"kind":"x"}],"warnings":[]}`
	bad   = `{"apiVersion":"ibctl/v1","kind":"KindList","items":[{"kind":"x","made_up":1}],"warnings":[]}`
	batch = `{"apiVersion":"ibctl/v1","kind":"BatchResult","file":"-","line":1,"command":"schema","exit_code":0,"result":`
)

// What is asked for as JSON or YAML is looked at, however it is asked for, and what
// is wrong in it is found.
func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		args, stdout, stderr string
		kinds                string
		wrong                bool
	}{
		{"schema -j", good, "", "KindList", false},
		{"schema -j", bad, "", "KindList", true},
		{"schema -o json", bad, "", "KindList", true},
		{"-ojson schema", bad, "", "KindList", true},
		{"schema --output=json", bad, "", "KindList", true},
		{"schema --json", "KIND", "", "", true},
		{"schema --json", `{"items":[]}`, "", "", true},
		{"schema", bad, "", "", false},
		{"schema -o table", "KIND", "", "", false},
		{"schema -o yaml", "apiVersion: ibctl/v1\nkind: KindList\nitems: []\nwarnings: []\n", "", "KindList", false},
		{"schema -o yaml", "apiVersion: ibctl/v1\nkind: KindList\nwarnings: []\n", "", "KindList", true},
		{"schema -o jsonl", `{"kind":"x"}` + "\n", "", "KindList", false},
		{"dev list -o jsonl", `{"made_up":1}` + "\n", "", "", true},
		{"batch -o json -", batch + good + "}\n" + batch + good + "}\n", "", "BatchResult KindList BatchResult KindList", false},
		{"batch -o json -", batch + bad + "}\n", "", "BatchResult KindList", true},
		{"dev list -o json", "", `{"apiVersion":"ibctl/v1","kind":"Error","code":66,"reason":"not_found","message":"x"}` + "\n", "Error", false},
		{"dev list -o json", "", `{"apiVersion":"ibctl/v1","kind":"Error","code":66}` + "\n", "Error", true},
		{"schema DeviceList -j", `{"$id":"x"}`, "", "", false},
		{"help dev -j", "text", "", "", false},
	} {
		kinds, err := Check(strings.Fields(tt.args), tt.stdout, tt.stderr)
		if (err != nil) != tt.wrong || !slices.Equal(kinds, strings.Fields(tt.kinds)) {
			t.Errorf("%s: %v, %v", tt.args, kinds, err)
		}
	}
}
