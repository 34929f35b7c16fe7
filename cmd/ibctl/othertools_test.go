package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// peers lists what the tools can be asked that ibctl is to take the place of.
func peers(t *testing.T) (commands []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/peers.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			commands = append(commands, line)
		}
	}
	if len(commands) < 60 {
		t.Fatalf("only %d commands", len(commands))
	}
	return commands
}

// withoutCounterpart returns the commands that ibctl.8 says ibctl has nothing like,
// each with its reason.
func withoutCounterpart(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manDir, "ibctl.8"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "\nThese have no counterpart, or only in part:\n")
	list, _, _ = strings.Cut(list, "\n.El\n")
	reasons := map[string]string{}
	for _, entry := range strings.Split(list, "\n.It Ic ")[1:] {
		names, reason, _ := strings.Cut(entry, "\n")
		for name := range strings.SplitSeq(strings.ReplaceAll(names, `\-`, "-"), " , ") {
			reasons[name] = strings.TrimSpace(reason)
		}
	}
	return reasons
}

// otherTools returns the table in ibctl.8: what another tool is asked, and what
// ibctl is.
func otherTools(t *testing.T) (rows [][2]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manDir, "ibctl.8"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n.Sh COMING FROM OTHER TOOLS\n")
	section, _, _ = strings.Cut(section, "\n.El\n")
	plain := strings.NewReplacer(`\-`, "-", `\&`, "")
	for _, entry := range strings.Split(section, "\n.It Ic ")[1:] {
		other, ours, found := strings.Cut(entry, "\n.Ic ibctl ")
		if !found {
			t.Fatalf("%q has no counterpart", entry)
		}
		ours, _, _ = strings.Cut(ours, "\n")
		rows = append(rows, [2]string{plain.Replace(other), plain.Replace(ours)})
	}
	return rows
}

// begins tells whether one command is another, or the same with more words.
func begins(command, with string) bool {
	return command == with || strings.HasPrefix(command, with+" ") || strings.HasPrefix(command, with) && strings.HasSuffix(with, "/")
}

// TestOtherTools: each command has its counterpart, or a reason why there is none,
// and each counterpart is a command that ibctl understands. The lab's tests run
// those that name no placeholder.
func TestOtherTools(t *testing.T) {
	rows, reasons := otherTools(t), withoutCounterpart(t)
	for _, peer := range peers(t) {
		inTable := slices.ContainsFunc(rows, func(row [2]string) bool { return begins(row[0], peer) })
		if !inTable && reasons[peer] == "" {
			t.Errorf("%s has neither a counterpart nor a reason why it has none", peer)
		}
	}
	for _, row := range rows {
		var errs bytes.Buffer
		b := &batchLines{inv: &invocation{}, ctx: context.Background(), dryRun: true}
		inv := &invocation{stdout: &errs, stderr: &errs, format: defaultFormat, lines: b}
		if strings.HasPrefix(row[1], "batch ") {
			continue // which no batch can hold
		}
		err := inv.dispatch(append([]string{"ibctl"}, strings.Fields(row[1])...))
		if err != nil || errs.Len() > 0 {
			t.Errorf("%s: ibctl %s: %v %s", row[0], row[1], err, &errs)
		}
	}
}
