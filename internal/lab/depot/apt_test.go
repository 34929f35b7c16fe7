package depot

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestSourcesList(t *testing.T) {
	got := sourcesList("http://mirror.example/debian/", "trixie", "/k.gpg")
	if want := "deb [arch=amd64 target=Packages signed-by=/k.gpg] http://mirror.example/debian/ trixie main\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := sourcesList("http://mirror.example/debian/", "trixie", ""); strings.Contains(got, "signed-by") || strings.Contains(got, "trusted") {
		t.Errorf("without a keyring: %q", got)
	}
}

// TestAptConf asks apt itself what it makes of the configuration on top of the machine's.
func TestAptConf(t *testing.T) {
	if _, err := exec.LookPath("apt-config"); err != nil {
		t.Skip("no apt on this machine")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "apt.conf")
	if err := os.WriteFile(file, []byte(aptConf(dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := command(context.Background(), "apt-config", "-c", file, "dump").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.ToLower(string(out)), "\n") // apt's names know no case
	for _, want := range []string{
		`Dir::Etc::SourceList "` + dir + `/sources.list";`,
		`Dir::Etc::SourceParts "-";`,
		`Dir::State::Lists "` + dir + `/lists";`,
		`APT::Update::Error-Mode "any";`,
	} {
		if !slices.Contains(lines, strings.ToLower(want)) {
			t.Errorf("no %s", want)
		}
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "apt::update::") && strings.Contains(line, "invoke") && !strings.HasSuffix(line, ` "";`) {
			t.Errorf("a hook of the machine's is still there: %s", line)
		}
		if strings.HasPrefix(line, "apt::get::allowunauthenticated") || strings.HasPrefix(line, "acquire::allowinsecurerepositories \"1") {
			t.Errorf("signatures are not checked: %s", line)
		}
	}
}

func TestMirrorOf(t *testing.T) {
	for _, c := range []struct{ name, uris, want string }{
		{"nothing", "", ""},
		{"main archive after others", `'https://s.example/debian-security/dists/bookworm-security/InRelease' s_InRelease 0
'https://m.example/debian/dists/bookworm-updates/InRelease' u_InRelease 0
'https://m.example/debian/dists/bookworm/InRelease' m_InRelease 0
'https://m.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' p 0
`, "https://m.example/debian/"},
		{"only security", `'https://s.example/debian-security/dists/bookworm-security/InRelease' s_InRelease 0` + "\n", ""},
		{"flat repository", `'https://f.example/repo/InRelease' f_InRelease 0` + "\n", ""},
	} {
		if got := mirrorOf(c.uris); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMissingKey(t *testing.T) {
	for stderr, want := range map[string]bool{
		"W: GPG error: ...: the public key is not available: NO_PUBKEY 6ED0E7B82643E131":                            true,
		"Err:1 ... Sub-process /usr/bin/sqv returned an error code (1), error message is: Missing key 4CB50190207B": true,
		"E: Could not resolve 'mirror.example'":                                                                     false,
	} {
		if got := (&aptError{stderr: stderr}).lacksKey(); got != want {
			t.Errorf("%s: %v", stderr, got)
		}
	}
}

func TestParseStanzas(t *testing.T) {
	got := parseStanzas([]byte(`Package: linux-image-amd64
Version: 7.3.4-1~bpo13+1
Depends: linux-base-amd64 (= 7.3.4-1~bpo13+1), linux-image-7.3.4+deb13-amd64 (= 7.3.4-1~bpo13+1)
Description: Linux
 Depends: not a field but a line of the description

Package: linux-image-amd64
Version: 6.12.107-1
Depends: kmod, dracut | initramfs-tools (>= 0.120)
`))
	want := []stanza{
		{version: "7.3.4-1~bpo13+1", depends: []string{"linux-base-amd64", "linux-image-7.3.4+deb13-amd64"}},
		{version: "6.12.107-1", depends: []string{"kmod", "dracut"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestKernelPart(t *testing.T) {
	for name, want := range map[string]bool{
		"linux-image-6.1.0-50-amd64":       true,
		"linux-image-7.3.4+deb13-amd64":    true,
		"linux-binary-7.3.4+deb13-amd64":   true,
		"linux-modules-7.3.4+deb13-amd64":  true,
		"linux-base-7.3.4+deb13-amd64":     true,
		"linux-base":                       false,
		"linux-image-amd64":                false,
		"linux-headers-6.1.0-50-amd64":     false,
		"linux-image-6.1.0-50-amd64-dbg":   false,
		"firmware-linux-free":              false,
		"linux-modules-amd64":              false,
		"linux-image-6.1.0-50-cloud-arm64": false,
	} {
		if got := kernelPart.MatchString(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNewEnough(t *testing.T) {
	for text, want := range map[string]bool{
		"rdma utility, iproute2-6.1.0\n":                 false,
		"rdma utility, iproute2-6.15.0\n":                true,
		"rdma utility, iproute2-6.14.0, libbpf 1.1.0\n":  false,
		"rdma utility, iproute2-7.0.0\n":                 true,
		"rdma utility, iproute2-ss200127, libbpf 1.1.0 ": false,
		"": false,
	} {
		if got := newEnough(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
