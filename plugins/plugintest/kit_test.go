package plugintest

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// underTest is one of the plugins of this package's tests.
func underTest(t *testing.T, name string) Plugin {
	return Plugin{
		Name: name,
		Env:  []string{"TMPDIR=" + t.TempDir()},
		// A group of processes can be escaped from, as by some of these plugins.
		levels:   []supervisor.Guarantee{supervisor.GuaranteeProcessGroup},
		patience: 10 * time.Second,
		cycles:   100,
	}.withDefaults(t.Name())
}

// failing tries the rules on a plugin as Run does, and returns those that it does
// not keep.
func failing(t *testing.T, p Plugin, try func(i int, r rule) bool) (names []string) {
	beDoomed(t, p)
	for i, r := range rules {
		if !r.gate && !try(i, r) {
			continue
		}
		if failures := r.examine(t, p); len(failures) > 0 {
			t.Logf("%s: %s", r.name, strings.Join(failures, "; "))
			names = append(names, r.name)
			if r.gate {
				break
			}
		}
	}
	return names
}

// all is for trying every rule.
func all(int, rule) bool { return true }

// near is for trying the rules that are most like the i-th; all of them where
// there is time.
func near(i int) func(int, rule) bool {
	return func(j int, r rule) bool { return max(i-j, j-i) <= 3 || soak.On() }
}

// TestEachRule: for each rule there is a plugin that breaks it, and no other one.
func TestEachRule(t *testing.T) {
	for i, r := range rules {
		if testMains[r.name] == nil {
			t.Errorf("%s: no plugin breaks it", r.name)
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if got := failing(t, underTest(t, r.name), near(i)); !slices.Equal(got, []string{r.name}) {
				t.Errorf("the plugin that breaks %s fails %q", r.name, got)
			}
		})
	}
}

// TestGoodPlugins: neither one made with package plugin, on whatever guarantee
// this host has, nor one made by hand breaks any.
func TestGoodPlugins(t *testing.T) {
	Run(t, Plugin{Name: "good"})
	if got := failing(t, underTest(t, "raw"), all); len(got) > 0 {
		t.Errorf("fails %q", got)
	}
}

// TestRulesAreInTheManual holds ibctl-plugin(7) against the rules.
func TestRulesAreInTheManual(t *testing.T) {
	page, err := os.ReadFile("../../man/ibctl-plugin.7")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if !strings.Contains(string(page), "\n.It Cm "+r.name+"\n") {
			t.Errorf("%s is not in ibctl-plugin(7)", r.name)
		}
	}
}

func TestCountGoroutines(t *testing.T) {
	dump := "goroutine 1 gp=0xc0 m=0 mp=0x1 [select]:\nmain.main()\n\ngoroutine 7 [chan receive, 2 minutes]:\nmain.f()\ncreated by main.g in goroutine 1\n" +
		"goroutine 8 [chan receive]:\ncreated by main.g in goroutine 7\ngoroutine 9 [IO wait]:\ncreated by main.h in goroutine 1\ngoroutine is a word"
	if n, most := countGoroutines(strings.Split(dump, "\n")); n != 4 || most != "created by main.g" {
		t.Errorf("%d goroutines, most %q", n, most)
	}
}
