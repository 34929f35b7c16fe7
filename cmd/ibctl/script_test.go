package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/output"
)

// TestMain lets the test binary be ibctl, for scripts and for the plugins that
// ibctl starts through /proc/self/exe.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ibctl": main})
}

// TestScripts runs testdata/script/*.txtar: ibctl on trees that the scripts
// carry. With IBCTL_UPDATE_SCRIPTS set, expected output is rewritten, to be looked at.
func TestScripts(t *testing.T) {
	update := os.Getenv("IBCTL_UPDATE_SCRIPTS") != ""
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
	schema := compileSchema(ts, args[0])
	documents := [][]byte{[]byte(ts.ReadFile(args[1]))}
	if lines {
		documents = bytes.Split(bytes.TrimSpace(documents[0]), []byte("\n"))
	}
	for _, text := range documents {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		ts.Check(err)
		if err := schema.Validate(doc); err != nil {
			ts.Fatalf("%v\n%s", err, text)
		}
	}
}

func compileSchema(ts *testscript.TestScript, kind string) *jsonschema.Schema {
	text, err := output.Schema(kind)
	ts.Check(err)
	var doc any
	ts.Check(json.Unmarshal(text, &doc))
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	ts.Check(c.AddResource(kind, doc))
	schema, err := c.Compile(kind)
	ts.Check(err)
	return schema
}
