package main

import (
	"bytes"
	"encoding/json"

	"github.com/ibctl/ibctl/internal/output"
)

// batchResult is a BatchResult: what became of one line, with -o json.
type batchResult struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	File       string           `json:"file"`
	Line       int              `json:"line"`
	Command    string           `json:"command"`
	DryRun     bool             `json:"dry_run,omitzero"`
	ExitCode   int              `json:"exit_code"`
	Result     json.RawMessage  `json:"result,omitempty"`
	Output     string           `json:"output,omitzero"`
	Errors     []output.Problem `json:"errors,omitempty"`
}

// asObject runs a line and prints what became of it. Warnings that are not in
// its document go to standard error, as ever.
func (b *batchLines) asObject(inv *invocation, l batchLine) (code int, err error) {
	var printed bytes.Buffer
	inv.stdout, inv.format = &printed, output.JSON
	r := batchResult{
		APIVersion: output.APIVersion, Kind: "BatchResult",
		File: b.file, Line: l.number, Command: l.text, DryRun: b.dryRun,
	}
	if failure := b.dispatchLine(inv, l); failure != nil {
		r.Errors, r.ExitCode = inv.problemsOf(failure), codeOf(failure)
		if i, ok := interrupted(failure); ok {
			r.Errors, r.ExitCode = nil, 128+int(i.signal)
		}
	}
	r.setOutput(printed.Bytes())
	return r.ExitCode, b.inv.printer().Line(r)
}

// setOutput takes what the command printed: a document, as a rule.
func (r *batchResult) setOutput(text []byte) {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(text, &document); err == nil && document["kind"] != nil {
		r.Result = bytes.TrimSpace(text)
	} else {
		r.Output = string(text)
	}
}
