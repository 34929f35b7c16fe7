package supervisor

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Stop removes the devices that are still attached, asks the process to exit and
// waits until its tree is dead. A process that does not exit in time, or when ctx
// ends, is killed; the error says so, and nil means that it exited with status 0.
func (p *Plugin) Stop(ctx context.Context) error {
	p.stop.Do(func() { p.stopErr = p.shutdown(ctx) })
	return p.stopErr
}

func (p *Plugin) shutdown(ctx context.Context) error {
	defer p.sup.running.Done()
	p.removeAll(ctx)
	p.stopping.Store(true)
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		// It may take its time; nothing here depends on it but its own end.
		p.client.Kill()
	}()
	p.awaitExit(ctx)
	<-killed
	p.release()
	return p.exitError()
}

// removeAll takes the plugin off all devices at once, so that stopping it takes
// one deadline and not their sum.
func (p *Plugin) removeAll(ctx context.Context) {
	p.mu.Lock()
	p.closing = true
	var all []*conversation
	for _, c := range p.conversations {
		all = append(all, c)
	}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() {
			if err := c.remove(ctx); err != nil {
				p.log.Warn("remove at stop", "device", c.name, "error", err)
			}
			p.finish(c)
		})
	}
	wg.Wait()
}

// awaitExit returns when the tree is dead.
func (p *Plugin) awaitExit(ctx context.Context) {
	grace := time.NewTimer(p.limits.Shutdown)
	defer grace.Stop()
	select {
	case <-p.proc.done:
	case <-grace.C:
		p.proc.kill(fmt.Errorf("exit: %w (%v)", ErrDeadline, p.limits.Shutdown))
	case <-ctx.Done():
		p.proc.kill(fmt.Errorf("exit: %w: %w", ErrHastened, context.Cause(ctx)))
	}
	<-p.proc.done
}

func (p *Plugin) exitError() error {
	if p.proc.state.Success() {
		return nil
	}
	return &DeadError{Plugin: p.Name(), Op: "stop", Reason: p.proc.why()}
}

// watch ends the connection when the process is dead, and with it every stream.
// A socket that somebody outside the tree still holds would keep them open.
func (p *Plugin) watch() {
	<-p.proc.done
	p.dialer.close()
}

// hostStreamEnded is called when the plugin can no longer ask anything. If it is
// not dying, it has broken the contract or lost the connection: it is of no use.
func (p *Plugin) hostStreamEnded() {
	if p.stopping.Load() {
		return
	}
	p.awaitCrash()
	if !p.stopping.Load() {
		p.proc.kill(fmt.Errorf("%w: the host stream ended", ErrBroken))
	}
}

// awaitCrash gives a process that seems to die the time to do so.
func (p *Plugin) awaitCrash() {
	late := time.NewTimer(p.limits.Crash)
	defer late.Stop()
	select {
	case <-p.proc.done:
	case <-late.C:
	}
}

// dead waits for the end of a process that is being killed.
func (p *Plugin) dead(op string) error {
	<-p.proc.done
	return &DeadError{Plugin: p.Name(), Op: op, Reason: p.proc.why()}
}
