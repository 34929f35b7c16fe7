package depot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// apt is a private apt root for one suite: its own sources list, package lists and cache, the machine's proxy and keys.
type apt struct {
	dir   string
	suite string
	log   io.Writer
}

// newApt prepares the root and fetches the suite's package list.
//
// Signatures are always checked, against the machine's keyring. Debian's keyring package gets the keys of a new release long
// before its release day, so a machine that is kept up to date can check the suites that the lab wants.
func newApt(ctx context.Context, dir, suite string, log io.Writer) (*apt, error) {
	a := &apt{dir: dir, suite: suite, log: log}
	for _, sub := range []string{"lists/partial", "archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	mirror, err := findMirror(ctx)
	if err != nil {
		return nil, err
	}
	files := map[string]string{
		"sources.list": sourcesList(mirror, suite, keyring()),
		"apt.conf":     aptConf(dir),
		"status":       "", // nothing is installed here, so nothing conflicts
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(log, "lab: reading the package list of %s\n", suite)
	return a, a.update(ctx)
}

func (a *apt) update(ctx context.Context) error {
	_, err := a.run(ctx, "apt-get", "update", "-q")
	var failed *aptError
	if errors.As(err, &failed) && failed.lacksKey() {
		return fmt.Errorf("the machine's keyring lacks the key that signs %s; a newer debian-archive-keyring package has it: %w", a.suite, err)
	}
	return err
}

// lacksKey tells whether a signature could not be checked for want of a key, in the words of gpgv or of sqv.
func (e *aptError) lacksKey() bool {
	return strings.Contains(e.stderr, "NO_PUBKEY") || strings.Contains(e.stderr, "Missing key")
}

// run runs one of apt's programs on this root and returns what it printed.
func (a *apt) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := command(ctx, name, append([]string{"-c", filepath.Join(a.dir, "apt.conf")}, args...)...)
	cmd.Dir = filepath.Join(a.dir, "debs")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, &aptError{command: name + " " + strings.Join(args, " "), cause: err, stderr: stderr.String()}
	}
	return stdout.Bytes(), nil
}

// aptError is a failure of one of apt's programs, with its own words.
type aptError struct {
	command string
	cause   error
	stderr  string
}

func (e *aptError) Error() string {
	return fmt.Sprintf("%s: %v: %s", e.command, e.cause, strings.TrimSpace(e.stderr))
}

func (e *aptError) Unwrap() error { return e.cause }

// aptConf is the configuration that is read after the machine's. It clears the hooks: they belong to the machine's own lists.
func aptConf(dir string) string {
	return fmt.Sprintf(`#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::SourceList "%[1]s/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "-";
Dir::State "%[1]s";
Dir::State::Lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s";
Dir::Cache::archives "%[1]s/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "60";
Acquire::https::Timeout "60";
`, dir)
}

// sourcesList names one suite and asks for its list of packages alone.
func sourcesList(mirror, suite, keyring string) string {
	options := "arch=amd64 target=Packages"
	if keyring != "" {
		options += " signed-by=" + keyring
	}
	return fmt.Sprintf("deb [%s] %s %s main\n", options, mirror, suite)
}

// keyring returns Debian's keyring, or "" where apt must find the key among all that it trusts.
func keyring() string {
	for _, file := range []string{"/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"} {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}
