package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/schematest"
)

// cliTopology has a bit of everything that ibctl must agree with its peers on:
// six HCAs, two of them on the slaves of a bond, one on a bridge's port and one
// in another namespace, with VLANs, a macvlan and addresses of both families.
func cliTopology() lab.Topology {
	tp := lab.Demo()
	tp.Links = append(tp.Links,
		lab.Link{Name: "br0", Kind: lab.Bridge{}, Addrs: []string{"10.0.5.1/24", "2001:db8:0:5::1/64"}},
		lab.Link{Name: "eth4", Kind: lab.Dummy{}, Master: "br0", MTU: 1280},
		lab.Link{Name: "eth5", Kind: lab.Dummy{}, Down: true, Addrs: []string{"10.0.6.1 peer 10.0.6.2/32"}},
	)
	tp.HCAs = append(tp.HCAs, lab.HCA{Name: "rxe5", Netdev: "eth4"}, lab.HCA{Name: "rxe6", Netdev: "eth5"})
	return tp
}

// cliResult is what became of one run of ibctl.
type cliResult struct {
	stdout, stderr string
	code           int
}

// ibctl runs the program that was built for the lab, in a network namespace
// unless netns is empty.
func ibctl(t testing.TB, netns string, args ...string) cliResult {
	t.Helper()
	cmd := exec.Command("ibctl", args...)
	if netns != "" {
		cmd = exec.Command("ip", append([]string{"netns", "exec", netns, "ibctl"}, args...)...)
	}
	return runCLI(t, cmd)
}

func runCLI(t testing.TB, cmd *exec.Cmd) cliResult {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", cmd, err)
	}
	r := cliResult{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	if i := slices.Index(cmd.Args, "ibctl"); i >= 0 {
		checkAnswer(t, cmd.Args[i+1:], r)
	}
	return r
}

// checkAnswer holds what ibctl printed against its schema, if that is JSON or YAML.
func checkAnswer(t testing.TB, args []string, r cliResult) {
	t.Helper()
	if _, err := schematest.Check(args, r.stdout, r.stderr); err != nil {
		t.Error(err)
	}
}

// object is an item of a document.
type object = map[string]any

// ibctlItems runs ibctl -o json, which must succeed, and returns the items.
// Numbers come as json.Number: no digit is lost. Warnings fail the test.
func ibctlItems(t testing.TB, netns string, args ...string) []object {
	t.Helper()
	r := ibctl(t, netns, append(args, "-o", "json")...)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("ibctl %q: exit code %d\n%s", args, r.code, r.stderr)
	}
	var doc struct {
		Kind            string
		Items, Warnings []object
	}
	decode(t, r.stdout, &doc)
	if len(doc.Warnings) > 0 {
		t.Errorf("ibctl %q warns: %v", args, doc.Warnings)
	}
	return doc.Items
}

// checkSchema holds a document against the JSON Schema of its kind.
func checkSchema(t testing.TB, kind, text string) {
	t.Helper()
	if err := schematest.Validate(kind, []byte(text)); err != nil {
		t.Error(err)
	}
}

func decode(t testing.TB, text string, v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// rdmaObjects returns what rdma -j prints, of the newest iproute2, seen from a
// network namespace.
func rdmaObjects(t testing.TB, netns string, args ...string) []object {
	t.Helper()
	name, args := lab.NewRDMA(t), append([]string{"-j"}, args...)
	if netns != "" {
		name, args = "ip", append([]string{"netns", "exec", netns, name}, args...)
	}
	var objects []object
	decode(t, run(t, name, args...), &objects)
	return objects
}
