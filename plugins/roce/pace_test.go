package roce

import (
	"testing"
	"time"
)

// follow lets time pass until a port is cold, and returns when it was read.
func follow(p *pace, from time.Time) (read []time.Duration) {
	for !p.due.IsZero() {
		now := p.due
		p.read(now)
		read = append(read, now.Sub(from))
	}
	return read
}

func TestPace(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var p pace
	p.poke(began)
	read := follow(&p, began)
	for i, want := range []time.Duration{20, 100, 250, 400} {
		if want *= time.Millisecond; read[i] != want {
			t.Errorf("reading %d is after %v, want %v", i, read[i], want)
		}
	}
	for i := range read[1:] {
		gap := read[i+1] - read[i]
		if read[i+1] <= hotTime && gap > 200*time.Millisecond {
			t.Errorf("%v lie between the readings at %v and %v", gap, read[i], read[i+1])
		}
		if gap < minPeriod || gap > coldTime/10 {
			t.Errorf("%v lie between the readings at %v and %v", gap, read[i], read[i+1])
		}
	}
	if last := read[len(read)-1]; last < coldTime || len(read) > 60 {
		t.Errorf("%d readings, the last after %v", len(read), last)
	}
}

// However often it is poked, a port is read at a bounded rate, and soon.
func TestPaceUnderFire(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var p pace
	last := began
	for ms := range 5000 {
		now := began.Add(time.Duration(ms) * time.Millisecond)
		p.poke(now)
		if now.Before(p.due) {
			continue
		}
		if gap := now.Sub(last); ms > 100 && (gap < minPeriod || gap > hotPeriod) {
			t.Fatalf("%v between readings", gap)
		}
		last = now
		if p.read(now); ms%3 == 0 {
			p.changed(now)
		}
	}
}

// Ten changes a second take ten readings a second, each soon after a change.
func TestPaceOfTenChangesASecond(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var p pace
	readings := 0
	for ms := range 10000 {
		now := began.Add(time.Duration(ms) * time.Millisecond)
		if ms%100 == 0 {
			p.poke(now)
		}
		if now.Before(p.due) {
			continue
		}
		readings++
		if p.read(now); time.Duration(ms%100)*time.Millisecond != firstRead {
			t.Fatalf("read after %d ms", ms)
		}
		p.changed(now)
	}
	if readings != 100 {
		t.Errorf("%d readings in ten seconds", readings)
	}
}
