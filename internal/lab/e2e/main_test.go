package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/takedown"
)

func TestMain(m *testing.M) {
	if takedown.IsChild(os.Args) {
		os.Exit(takedown.ServeChild(os.Args))
	}
	os.Exit(lab.Main(m, lab.Suite{
		NewRDMA: true,
		Silence: time.Duration(soak.Times(10, 20)) * time.Minute, // in a long form an idle daemon is looked at for five
		Programs: map[string]string{
			"ibctl":    "github.com/ibctl/ibctl/cmd/ibctl",
			"stubborn": "github.com/ibctl/ibctl/internal/lab/e2e/stubborn",
		},
	}))
}
