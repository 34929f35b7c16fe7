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

// peers are the tools that ibctl is to take the place of, and of rdma the objects
// that it has (rdma help).
var peers = []string{
	"rdma dev", "rdma link", "rdma statistic", "rdma resource", "rdma monitor",
	"ibv_devices", "ibv_devinfo", "ibstat", "perfquery", "ibdev2netdev", "show_gids", "show_counters", "cma_roce_mode", "cma_roce_tos",
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
	section, _, _ = strings.Cut(section, "\n.Sh ")
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

// TestOtherTools: each tool has its counterparts, and each of those is a command
// that ibctl understands. The lab's tests run those that name no placeholder.
func TestOtherTools(t *testing.T) {
	rows := otherTools(t)
	for _, peer := range peers {
		if !slices.ContainsFunc(rows, func(row [2]string) bool { return strings.Contains(row[0]+" ", peer+" ") }) {
			t.Errorf("%s has no counterpart", peer)
		}
	}
	for _, row := range rows {
		var errs bytes.Buffer
		b := &batchLines{inv: &invocation{}, ctx: context.Background(), dryRun: true}
		inv := &invocation{stdout: &errs, stderr: &errs, format: defaultFormat, lines: b}
		if row[1] == "batch FILE" {
			continue // which no batch can hold
		}
		err := inv.dispatch(append([]string{"ibctl"}, strings.Fields(row[1])...))
		if err != nil || errs.Len() > 0 {
			t.Errorf("%s: ibctl %s: %v %s", row[0], row[1], err, &errs)
		}
	}
}
