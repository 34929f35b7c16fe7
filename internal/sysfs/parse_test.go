package sysfs

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		w    words
		text string
		want int // -1: nonsense
	}{
		{stateWords, "4: ACTIVE", 4},
		{stateWords, "5: ACTIVE_DEFER", 5},
		{stateWords, "0: NOP", 0},
		{stateWords, "9: UNKNOWN", 9},
		{stateWords, "4: DOWN", -1},
		{stateWords, "4", -1},
		{stateWords, "4:ACTIVE", -1},
		{stateWords, ": ACTIVE", -1},
		{stateWords, "-1: ACTIVE", -1},
		{stateWords, "256: UNKNOWN", -1},
		{stateWords, "N/A (no PMA)", -1},
		{stateWords, "", -1},
		{physStateWords, "5: LinkUp", 5},
		{physStateWords, "4: PortConfigurationTraining", 4},
		{physStateWords, "7: Phy Test", 7},
		{physStateWords, "9: <unknown>", 9}, // OPA offline
		{physStateWords, "4: ACTIVE", -1},   // no kernel prints that
		{nodeTypeWords, "1: CA", 1},
		{nodeTypeWords, "6: usNIC UDP", 6},
		{nodeTypeWords, "4: CA", -1},
	} {
		got, err := c.w.parse([]byte(c.text))
		switch {
		case c.want < 0 && !errors.Is(err, ErrNonsense):
			t.Errorf("%q: got %d, %v, want ErrNonsense", c.text, got, err)
		case c.want >= 0 && (err != nil || int(got) != c.want):
			t.Errorf("%q: got %d, %v, want %d", c.text, got, err, c.want)
		}
	}
}

func TestRate(t *testing.T) {
	for text, want := range map[string]rate{
		"100 Gb/sec (4X EDR)":   {100, "4X", "EDR"},
		"2.5 Gb/sec (1X SDR)":   {2.5, "1X", "SDR"},
		"10 Gb/sec (4X)":        {10, "4X", ""}, // before Linux 4.20
		"56 Gb/sec (4X FDR)":    {56, "4X", "FDR"},
		"40 Gb/sec (4X FDR10)":  {40, "4X", "FDR10"},
		"1600 Gb/sec (8X XDR)":  {1600, "8X", "XDR"},
		"300 Gb/sec (12X EDR)":  {300, "12X", "EDR"},
		"7 Gb/sec (1X WHATNOT)": {7, "1X", "WHATNOT"},
	} {
		if got, err := parseRate([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "100", "N/A (no PMA)", "100 Gb/sec", "100 Gb/sec (4X EDR", "-100 Gb/sec (4X EDR)", "0 Gb/sec (4X EDR)",
		"1e2 Gb/sec (4X EDR)", "100 Gb/sec (EDR)", "100 Gb/sec (0X EDR)", "100 Gb/sec (4X )", "100 Gb/sec (4X E DR)",
		"NaN Gb/sec (4X EDR)", ". Gb/sec (4X EDR)",
	} {
		if got, err := parseRate([]byte(text)); !errors.Is(err, ErrNonsense) {
			t.Errorf("%q: got %v, %v, want ErrNonsense", text, got, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	if v, err := parseHex([]byte("0xfff1")); err != nil || v != 0xfff1 {
		t.Errorf("0xfff1: %v, %v", v, err)
	}
	if v, err := parseLMC([]byte("7")); err != nil || v != 7 {
		t.Errorf("LMC 7: %v, %v", v, err)
	}
	for name, err := range map[string]error{
		"hex without 0x": second(parseHex([]byte("12"))), "empty hex": second(parseHex(nil)),
		"33 bits": second(parseHex([]byte("0x100000000"))), "LMC 8": second(parseLMC([]byte("8"))),
		"LMC -1": second(parseLMC([]byte("-1"))), "GUID": second(parseGUID([]byte("248a:0703"))),
		"link layer": second(parseLinkLayer([]byte("Token Ring"))),
	} {
		if !errors.Is(err, ErrNonsense) {
			t.Errorf("%s: %v, want ErrNonsense", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestGIDText(t *testing.T) {
	const text = "fe80:0000:0000:0000:5054:00ff:fe12:3456"
	g, err := parseGID([]byte(text))
	if err != nil || g.String() != text {
		t.Errorf("got %v, %v", g, err)
	}
	if g, err := parseGID([]byte("::ffff:10.0.0.1")); err != nil || g.String() != "0000:0000:0000:0000:0000:ffff:0a00:0001" {
		t.Errorf("short form: got %v, %v", g, err)
	}
	for _, bad := range []string{"", "fe80", "10.0.0.1", text[:38] + "g", "fe80-0000:0000:0000:5054:00ff:fe12:3456", text + "0", "fe80::1%eth0"} {
		if g, err := parseGID([]byte(bad)); !errors.Is(err, ErrNonsense) {
			t.Errorf("%q: got %v, %v, want ErrNonsense", bad, g, err)
		}
	}
}

// What parses must print back to what was read, so that nothing is made up.

func FuzzWords(f *testing.F) {
	for _, text := range []string{"4: ACTIVE", "5: LinkUp", "1: CA", "9: <unknown>", "4: ACTIVE_DEFER", "256: UNKNOWN"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, w := range []words{stateWords, physStateWords, nodeTypeWords} {
			n, err := w.parse(text)
			if err != nil {
				continue
			}
			digits, word, _ := bytes.Cut(text, []byte(": "))
			if !bytes.HasSuffix(digits, fmt.Append(nil, n)) || len(word) == 0 {
				t.Errorf("%q became %d", text, n)
			}
		}
	})
}

func FuzzRate(f *testing.F) {
	for _, text := range []string{"100 Gb/sec (4X EDR)", "2.5 Gb/sec (1X SDR)", "10 Gb/sec (4X)", "N/A (no PMA)", "1600 Gb/sec (8X XDR)"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRate(text)
		if err == nil && (r.gbps <= 0 || r.width == "" || !bytes.Contains(text, []byte(r.width)) || !bytes.Contains(text, []byte(r.speed))) {
			t.Errorf("%q became %+v", text, r)
		}
	})
}

func FuzzGID(f *testing.F) {
	for _, text := range []string{"fe80:0000:0000:0000:5054:00ff:fe12:3456", "0000:0000:0000:0000:0000:ffff:0a00:0001", "::1", "::ffff:10.0.0.1", "fe80::1%eth0"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := parseGID(text)
		want, wantErr := rdma.ParseGID(string(text))
		if g != want || (err == nil) != (wantErr == nil) {
			t.Errorf("%q: got %v, %v, want %v, %v", text, g, err, want, wantErr)
		}
	})
}

func FuzzPCIAddress(f *testing.F) {
	for _, text := range []string{"0000:05:00.0", "10000:e0:06.0", "../../devices/pci0000:00/0000:00:05.0/mlx5_core.sf.4/infiniband/mlx5_2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, link string) {
		if a := pciAddress(link); a != "" && !isPCIAddress(a) {
			t.Errorf("%q: %q", link, a)
		}
	})
}
