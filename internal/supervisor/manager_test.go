package supervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/ibctl/ibctl/core"
)

// station is a registry with a managed client.
type station struct {
	*bench
	reg *core.Registry
	m   *Manager

	mu    sync.Mutex
	heard []Status
}

func manage(t *testing.T, limits Limits, spec func(*bench) Spec) *station {
	t.Helper()
	s := &station{reg: core.NewRegistry(core.Options{})}
	s.bench = newBench(t, Config{Limits: limits, OnChange: func(st Status) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, st)
	}})
	m, err := s.Manage(s.reg, spec(s.bench))
	if err != nil {
		t.Fatal(err)
	}
	s.m = m
	return s
}

// impatient makes crashes follow each other quickly.
func impatient(crashes int) Limits {
	return Limits{Crashes: crashes, BackoffMin: 10 * time.Millisecond, BackoffMax: 20 * time.Millisecond, Remove: 2 * time.Second}
}

func builtin(name string) func(*bench) Spec {
	return func(b *bench) Spec { return b.builtin(name) }
}

func (s *station) states() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	var states []State
	for _, st := range s.heard {
		states = append(states, st.State)
	}
	return states
}

func (s *station) register(names ...string) {
	s.Helper()
	for i, name := range names {
		info := device(uint32(i), 0).Info
		info.Name = name
		if _, err := s.reg.RegisterDevice(s.Context(), info); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *station) ready() error {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	return s.m.Ready(ctx)
}

// finish stops the manager and checks that nothing is left.
func (s *station) finish() {
	s.Helper()
	within(s, "stop", func() { s.m.Stop(context.Background()) })
	s.nothingLeft()
	if list := s.reg.Attachments(); len(list) > 0 {
		s.Errorf("still attached: %v", list)
	}
}

// TestManagerRestarts: after a crash the client is off every device, and then on
// every device again, in another process.
func TestManagerRestarts(t *testing.T) {
	s := manage(t, impatient(10), builtin("good"))
	s.register("rxe0", "rxe1", "rxe2")
	if err := s.ready(); err != nil {
		t.Fatal(err)
	}
	first := s.m.Status()
	if first.State != StateRunning || len(first.Devices) != 3 || first.Version != "test" || first.Guarantee == GuaranteeUnknown || first.LastError != nil {
		t.Errorf("status %+v", first)
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "restart", func() bool { st := s.m.Status(); return st.State == StateRunning && st.Restarts == 1 })
	second := s.m.Status()
	if second.PID == first.PID || len(second.Devices) != 3 || !errors.Is(second.LastError, ErrExited) || !strings.Contains(second.LastError.Error(), "killed") {
		t.Errorf("status %+v", second)
	}
	s.finish()
	want := []State{StateStarting, StateRunning, StateBackoff, StateStarting, StateRunning, StateStopping, StateStopped}
	if got := s.states(); !slices.Equal(got, want) {
		t.Errorf("states %v, want %v", got, want)
	}
}

// TestManagerQuarantine: a client that keeps crashing is taken off for good, and
// says why.
func TestManagerQuarantine(t *testing.T) {
	for _, tt := range []struct{ plugin, words string }{
		{"exits", "no licence today"},
		{"crash-add", "panic: crash in add"},
	} {
		t.Run(tt.plugin, func(t *testing.T) {
			s := manage(t, impatient(3), builtin(tt.plugin))
			// Registering goes on while the client crashes, and succeeds.
			within(t, "register", func() { s.register("rxe0") })
			eventually(t, "quarantine", func() bool { return s.m.Status().State == StateQuarantined })
			st := s.m.Status()
			if st.Restarts > 2 || st.PID != 0 || !errors.Is(st.LastError, ErrExited) || !strings.Contains(st.LastError.Error(), tt.words) {
				t.Errorf("status %+v", st)
			}
			if clients := s.reg.Clients(); len(clients) > 0 {
				t.Errorf("still registered: %v", clients)
			}
			if err := s.m.Conn().Invoke(t.Context(), askMethod, nil, nil); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "quarantined") || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("question: %v", err)
			}
			states := s.states()
			if last := states[len(states)-1]; last != StateQuarantined {
				t.Errorf("states %v", states)
			}
			s.finish()
		})
	}
}

// TestManagerReadyFails when the client never ran: at the first failure where
// there is only one try.
func TestManagerReadyFails(t *testing.T) {
	s := manage(t, Limits{Crashes: 1}, builtin("exits"))
	if err := s.ready(); !errors.Is(err, ErrExited) || !strings.Contains(err.Error(), "no licence today") {
		t.Errorf("ready: %v", err)
	}
	s.finish()
}

func TestManagerRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := manage(t, Limits{}, func(*bench) Spec { return Spec{Name: "third", Path: path} })
	if err := s.ready(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not executable") {
		t.Errorf("ready: %v", err)
	}
	if st := s.m.Status(); st.State != StateRefused || st.Restarts != 0 {
		t.Errorf("status %+v", st)
	}
	s.finish()
}

// TestManagerStops whatever it is at.
func TestManagerStops(t *testing.T) {
	slow := Limits{BackoffMin: time.Hour, BackoffMax: time.Hour}
	for _, tt := range []struct {
		plugin string
		in     State
	}{{"hangs", StateStarting}, {"exits", StateBackoff}, {"good", StateRunning}} {
		t.Run(string(tt.in), func(t *testing.T) {
			s := manage(t, slow, builtin(tt.plugin))
			eventually(t, string(tt.in), func() bool { return s.m.Status().State == tt.in })
			s.finish()
			if st := s.m.Status(); st.State != StateStopped {
				t.Errorf("status %+v", st)
			}
			if err := s.ready(); tt.in != StateRunning && !errors.Is(err, ErrNotRunning) {
				t.Errorf("ready: %v", err)
			}
		})
	}
}

// TestManagerHastened: who stops with a limit gets a kill instead of a Remove that
// takes too long.
func TestManagerHastened(t *testing.T) {
	s := manage(t, Limits{}, builtin("stuck-remove"))
	s.register("rxe0")
	if err := s.ready(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	within(t, "stop", func() { s.m.Stop(ctx) })
	s.nothingLeft()
	if !errors.Is(removal(t, s.reg).Err, ErrHastened) {
		t.Error("no Remove was hastened")
	}
}

// removal returns the first Remove in the registry's log.
func removal(t *testing.T, reg *core.Registry) core.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	log := reg.Replay()
	for {
		e, err := log.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == core.ClientRemoved {
			return e
		}
	}
}

// TestManagedConnFollows the process: after a restart it is the new one's.
func TestManagedConnFollows(t *testing.T) {
	s := manage(t, impatient(10), builtin("asked"))
	s.register("rxe0")
	if err := s.ready(); err != nil {
		t.Fatal(err)
	}
	id := s.reg.Devices()[0].ID
	conn := s.m.Conn()
	ask := func() error {
		name := new(wrapperspb.StringValue)
		err := conn.Invoke(t.Context(), askMethod, s.m.DeviceID(id), name)
		if err == nil && name.GetValue() != "rxe0" {
			t.Errorf("answer %q", name.GetValue())
		}
		return err
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(s.m.Status().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "answer of the next process", func() bool { return ask() == nil && s.m.Status().Restarts == 1 })
	s.finish()
}

// TestManagersOfOneName: the second is not registered, and does not harm the first.
func TestManagersOfOneName(t *testing.T) {
	s := manage(t, impatient(2), builtin("good"))
	if err := s.ready(); err != nil {
		t.Fatal(err)
	}
	second, err := s.Manage(s.reg, s.builtin("good"))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Ready(t.Context()); !errors.Is(err, core.ErrExists) {
		t.Errorf("second: %v", err)
	}
	if st := s.m.Status(); st.State != StateRunning || st.Restarts != 0 {
		t.Errorf("first: %+v", st)
	}
	second.Stop(context.Background())
	s.finish()
}
