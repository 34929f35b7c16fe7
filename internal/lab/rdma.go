package lab

import (
	"os"
	"testing"
)

// envRDMA names the newer rdma(8) in the guest.
const envRDMA = "IBCTL_LAB_RDMA"

// NewRDMA returns the file name of an rdma(8) from iproute2 6.15 or later: an oracle for what the distribution's lacks (monitor,
// protocol, parent). The test's Suite must ask for it.
func NewRDMA(t testing.TB) string {
	t.Helper()
	name := os.Getenv(envRDMA)
	if name == "" {
		t.Fatal("lab: no newer rdma here: set NewRDMA in the package's lab.Suite")
	}
	return name
}
