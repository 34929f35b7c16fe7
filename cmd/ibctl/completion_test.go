package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completionCases are lines up to the cursor, and what a shell must offer.
var completionCases = map[string]string{
	"ibctl ":                               "dev port gid cm res env stat system client events serve batch wait completion help schema version",
	"ibctl g":                              "gid",
	"ibctl d":                              "dev",
	"ibctl dev ":                           "list show holders drain undrain remove add set rename netns bind",
	"ibctl dev s":                          "show set",
	"ibctl d l ":                           "mlx5_0 mlx5_1 rxe0",
	"ibctl dev show mlx5_0 mlx":            "mlx5_0 mlx5_1",
	"ibctl gid show r":                     "rxe0",
	"ibctl gid show rxe0/":                 "rxe0/1",
	"ibctl gid show --ty":                  "--type",
	"ibctl gid show --type ":               "v1 v2 ib",
	"ibctl gid show --type v":              "v1 v2",
	"ibctl gid show --netdev ":             "eth0 eth1",
	"ibctl -o js":                          "json jsonl",
	"ibctl dev list -o y":                  "yaml",
	"ibctl dev list --output=y":            "--output=yaml",
	"ibctl --no":                           "--no-headers",
	"ibctl completion ":                    "bash zsh fish",
	"ibctl help c":                         "client cm completion",
	"ibctl gid resolve --for n":            "nccl",
	"ibctl help gid ":                      "audit explain resolve show watch",
	"ibctl schema Dev":                     "DeviceList",
	"ibctl res qp --state r":               "reset rtr rts",
	"ibctl res cm-id --state l":            "listen",
	"ibctl res srq --type ":                "basic xrc tm",
	"ibctl res mr --by po":                 "port pod",
	"ibctl res mr --where rk":              "rkey=",
	"ibctl frobnicate ":                    "",
	"ibctl version ":                       "",
	"ibctl dev list -- mlx5_1":             "mlx5_1",
	"ibctl --timeout ":                     "",
	"ibctl dev list --nonsense --root x -": "", // any flag: only the shell must not choke
}

// completionTree makes a tree with three devices and returns its directory.
func completionTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for device, netdev := range map[string]string{"mlx5_0": "eth0", "mlx5_1": "", "rxe0": "eth1"} {
		write(t, filepath.Join(dir, "class/infiniband", device, "node_type"), "1: CA\n")
		port := filepath.Join(dir, "class/infiniband", device, "ports/1")
		write(t, filepath.Join(port, "state"), "4: ACTIVE\n")
		if netdev != "" {
			write(t, filepath.Join(port, "gid_attrs/ndevs/0"), netdev+"\n")
			write(t, filepath.Join(port, "gids/0"), "fe80:0000:0000:0000:5054:00ff:fe12:3456\n")
		}
	}
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// raceEnv spares the race detector's programs their sleep of a second at exit,
// which is for goroutines that report late; ibctl waits for its own.
const raceEnv = "atexit_sleep_ms=0"

// shellTests ask a real shell, each in its own way, what it would offer for the
// line in $LINE.
var shellTests = map[string][]string{
	"bash": {"bash", "--norc", "-c", `
		source <(ibctl completion bash)
		COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_WORDBREAKS=$' \t\n"'"'"'><=;|&(:'
		_ibctl 2>/dev/null
		# Readline puts back what it had parted at the last "=" or ":".
		word=${LINE##* } head=${word%"${word##*[=:]}"}
		printf '%s\n' "${COMPREPLY[@]/#/$head}"`},
	"zsh": {"zsh", "-f", "-c", `
		compdef() {}; compadd() { print -rl -- $values }; _directories() {}
		source <(ibctl completion zsh)
		words=(${(s: :)LINE}); [[ $LINE == *" " ]] && words+=("")
		CURRENT=$#words
		_ibctl; true`},
	"fish": {"fish", "--no-config", "-c", `
		ibctl completion fish | source
		complete -C "$LINE" | string replace -r '\t.*' ''; true`},
}

// TestShellsComplete asks bash, zsh and fish themselves. They find the devices of
// a tree by way of a wrapper called ibctl, as they would find the host's.
func TestShellsComplete(t *testing.T) {
	dir := t.TempDir()
	self, err := exec.LookPath("ibctl")
	if err != nil {
		t.Fatal(err)
	}
	wrapper := "#!/bin/sh\ncase $1 in __complete) shift; exec " + self + " __complete --root " + completionTree(t) + " \"$@\";; esac\nexec " + self + " \"$@\"\n"
	write(t, filepath.Join(dir, "ibctl"), wrapper)
	if err := os.Chmod(filepath.Join(dir, "ibctl"), 0o755); err != nil {
		t.Fatal(err)
	}
	for shell, command := range shellTests {
		t.Run(shell, func(t *testing.T) {
			for line, want := range completionCases {
				cmd := exec.Command(command[0], command[1:]...)
				cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "LINE="+line, "HOME="+dir, "GORACE="+raceEnv)
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%q: %v (make deps installs %s)\n%s", line, err, shell, out)
				}
				checkCandidates(t, line, string(out), want)
			}
		})
	}
}

// checkCandidates compares as sets: shells sort as they like.
func checkCandidates(t *testing.T, line, have, want string) {
	t.Helper()
	h, w := strings.Fields(have), strings.Fields(want)
	slices.Sort(h)
	slices.Sort(w)
	if strings.HasSuffix(line, " -") {
		return
	}
	if !slices.Equal(h, w) {
		t.Errorf("%q: %v, want %v", line, h, w)
	}
}
