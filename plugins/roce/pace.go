package roce

import "time"

// How often a port is read. The kernel changes tables some time after the event that
// makes it do so: it works through a queue, which a script can fill faster than it
// empties, and for some drivers each GID is a command to the device. So a port that is
// poked is read soon, and again and again until nothing has happened for a while.
//
// As long as a port is hot it is read every hotPeriod, so that what its table was like
// for 200 ms is seen, with 50 ms to spare for a busy machine. Work that the kernel comes
// to later than hotTime after an event is still seen, but perhaps not each step of it.
const (
	// firstRead is how long after an event a port is read. Events come together that
	// belong together, and the kernel has mostly done its work.
	firstRead = 20 * time.Millisecond
	// minPeriod lies between two readings of a port, whatever happens.
	minPeriod = 80 * time.Millisecond
	hotPeriod = 150 * time.Millisecond
	hotTime   = 3 * time.Second
	// coldTime is when a port that has been quiet is read for a last time. Until then
	// its period grows with the time that it has been quiet.
	coldTime = 10 * time.Second
)

// pace is when a port is read.
type pace struct {
	due  time.Time // when to read next; zero: not before all is read
	last time.Time // when it was read last
	heat time.Time // when it was poked, or seen to change, last
}

// poke has the port read soon: later than it would have been, where that is soon enough
// and spares a reading that would come before the kernel's work.
func (p *pace) poke(now time.Time) {
	p.heat = now
	due := now.Add(firstRead)
	if least := p.last.Add(minPeriod); due.Before(least) {
		due = least
	}
	if p.due.IsZero() || due.Before(p.due) || !due.After(p.last.Add(hotPeriod)) {
		p.due = due
	}
}

// read notes that the port is read now, and when it is to be read again. A first reading
// may have come too early.
func (p *pace) read(now time.Time) {
	p.last = now
	switch quiet := now.Sub(p.heat); {
	case quiet >= coldTime:
		p.due = time.Time{}
	case quiet < minPeriod:
		p.due = now.Add(minPeriod)
	case quiet < hotTime:
		p.due = now.Add(hotPeriod)
	default:
		p.due = now.Add(quiet / (hotTime / hotPeriod))
	}
}

// changed notes that the table, as it has just been read, is not what it was. There may
// be more to come of the same event.
func (p *pace) changed(now time.Time) {
	p.last, p.heat = now, now
	p.due = now.Add(minPeriod)
}
