package e2e

import (
	"os"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

func TestMain(m *testing.M) {
	os.Exit(lab.Main(m, lab.Suite{
		NewRDMA:  true,
		Programs: map[string]string{"ibctl": "github.com/ibctl/ibctl/cmd/ibctl"},
	}))
}
