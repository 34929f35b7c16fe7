package lab

import (
	"os"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/internal/lab/depot"
)

// The environment variables of the lab. depot.EnvKernels is one more.
const (
	EnvLab    = "IBCTL_LAB"        // "off": lab tests are skipped, and say so
	EnvKernel = "IBCTL_LAB_KERNEL" // kernel series to use, comma-separated; all
	EnvAccel  = "IBCTL_LAB_ACCEL"  // QEMU's accelerator; tcg
	EnvVMs    = "IBCTL_LAB_VMS"    // how many kernels the tests run on at once; as many as leave a processor for the rest
	EnvSeed   = "IBCTL_SEED"       // repeats one run of random tests, which print theirs
	EnvSoak   = "IBCTL_SOAK"       // has tests that go on and on do so
	envGuest  = "IBCTL_LAB_GUEST"  // set inside a VM: the kernel series
)

// Off tells whether the user has switched the lab off.
func Off() bool { return os.Getenv(EnvLab) == "off" }

// Inside returns the kernel series of the lab VM that this process runs in, and false elsewhere.
func Inside() (depot.Series, bool) {
	s := os.Getenv(envGuest)
	return depot.Series(s), s != ""
}

// OneOf tells whether this is the one of the kernels that tests are run on that is to do what depends on no kernel: 6.12, which most
// hosts are near to, or else the first.
func OneOf() bool {
	here, _ := Inside()
	series, err := depot.ParseSeries(os.Getenv(EnvKernel))
	if err != nil || len(series) == 0 {
		return true
	}
	if slices.Contains(series, "6.12") {
		return here == "6.12"
	}
	return here == series[0]
}

// InBetween tells whether tests are run on an older kernel than this, and on a newer one, too.
func InBetween() bool {
	here, _ := Inside()
	series, err := depot.ParseSeries(os.Getenv(EnvKernel))
	i := slices.Index(series, here)
	return err == nil && i > 0 && i < len(series)-1
}

// environment is the environment of a command in the guest. The host's is not for it: it speaks of services that aren't there.
func (c Config) environment(k depot.Kernel) []string {
	path := append(append([]string{}, c.Path...), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
	env := []string{
		"PATH=" + strings.Join(path, ":"),
		"HOME=/tmp", // of the host's user, /root may be closed to this VM
		"LANG=C.UTF-8",
		"TERM=" + os.Getenv("TERM"),
		envGuest + "=" + string(k.Series),
	}
	for _, name := range []string{EnvSeed, EnvSoak, EnvKernel} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, c.Env...)
}
