package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/schematest"
	"github.com/ibctl/ibctl/internal/takedown"
)

// TestMain lets the test binary be ibctl, for scripts and for the plugins that
// ibctl starts through /proc/self/exe.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ibctl": checkedMain})
}

// schemasSeen names, in the environment of scripts, the directory in which kinds of
// documents leave a mark that were printed.
const schemasSeen = "IBCTL_TEST_KINDS"

// exitNotByTheSchema is no exit code of ibctl's: no script expects it.
const exitNotByTheSchema = 99

// checkedMain is main for scripts: whatever they run and have printed as JSON or
// YAML is held against its schema, without a script having to ask for it.
func checkedMain() {
	if _, serves := plugin.ServeName(os.Args); serves || takedown.IsChild(os.Args) {
		main()
	}
	var stdout, stderr bytes.Buffer
	code := run(os.Args, os.Stdin, io.MultiWriter(os.Stdout, &stdout), io.MultiWriter(os.Stderr, &stderr))
	kinds, err := schematest.Check(os.Args[1:], stdout.String(), stderr.String())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = exitNotByTheSchema
	}
	for _, k := range kinds {
		if err := os.WriteFile(filepath.Join(os.Getenv(schemasSeen), k), nil, 0o600); err != nil {
			panic(err)
		}
	}
	os.Exit(code)
}

// TestScripts runs testdata/script/*.txtar: ibctl on trees that the scripts
// carry. With IBCTL_UPDATE_SCRIPTS set, expected output is rewritten, to be looked at.
func TestScripts(t *testing.T) {
	update := os.Getenv("IBCTL_UPDATE_SCRIPTS") != ""
	seen := t.TempDir()
	t.Run("scripts", func(t *testing.T) { runScripts(t, update, seen) })
	if run := flag.Lookup("test.run"); run == nil || !strings.Contains(run.Value.String(), "/") { // and so all ran
		checkKindsSeen(t, seen)
	}
}

func runScripts(t *testing.T, update bool, seen string) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"valid":   cmdValid,
			"exits":   cmdExits,
			"serving": cmdServing,
		},
		Setup: func(env *testscript.Env) error {
			trees, err := txtar.ParseFile("testdata/trees.txtar")
			if err != nil {
				return err
			}
			dir, err := os.Getwd()
			if err != nil {
				return err
			}
			env.Setenv("SRC", dir)
			env.Setenv(schemasSeen, seen)
			env.Setenv("GORACE", raceEnv)
			// The path of a socket must be short.
			short, err := os.MkdirTemp("", "ib")
			if err != nil {
				return err
			}
			env.Setenv("SHORT", short)
			env.Defer(func() { os.RemoveAll(short) })
			return txtar.Write(trees, env.WorkDir)
		},
	})
}

// cmdExits implements "exits CODE PROGRAM [ARG...]": like exec, of a program that
// must end with that exit code.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// cmdServing implements "serving SOCKET": it waits until ibctl serve has loaded
// everything and answers there.
func cmdServing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serving SOCKET")
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := serving(args[0])
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("ibctl serve: %v", err)
		}
	}
}

func serving(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := api.Dial(ctx, path)
	if err != nil {
		return err
	}
	defer conn.Close()
	reply, err := conn.ListClients(ctx, &apiv1.ListClientsRequest{})
	if err != nil {
		return err
	}
	attached := 0
	for _, c := range reply.GetClients() {
		for _, a := range c.GetDevices() {
			if core.AttachState(a.GetState()) == core.AttachAdding {
				return fmt.Errorf("%s is being added", c.GetName())
			}
			attached++
		}
	}
	if len(reply.GetClients()) < len(builtins()) || attached < len(reply.GetClients())*2 {
		return fmt.Errorf("%d clients, %d attachments", len(reply.GetClients()), attached)
	}
	return nil
}

// cmdValid implements "valid KIND FILE": FILE (or stdout, stderr) holds a
// document of KIND, or, with -lines, an object of KIND on each line.
func cmdValid(ts *testscript.TestScript, neg bool, args []string) {
	lines := len(args) > 0 && args[0] == "-lines"
	if lines {
		args = args[1:]
	}
	if neg || len(args) != 2 {
		ts.Fatalf("usage: valid [-lines] KIND FILE")
	}
	documents := [][]byte{[]byte(ts.ReadFile(args[1]))}
	if lines {
		documents = bytes.Split(bytes.TrimSpace(documents[0]), []byte("\n"))
	}
	for _, text := range documents {
		ts.Check(schematest.Validate(args[0], text))
	}
}
