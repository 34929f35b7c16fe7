package host

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// seed returns that of IBCTL_SEED, or a new one, which is in the output of a failure.
func seed(t *testing.T) uint64 {
	s := rand.Uint64()
	if text := os.Getenv("IBCTL_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("IBCTL_SEED=%d", s)
	return s
}

// TestFollowRandom lets devices come, go, swap and change while clients take
// their time, and hints be late, lost and wrong. In the end the registry must
// have what the kernel has, and each Add its Remove.
func TestFollowRandom(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	random := rand.New(rand.NewPCG(seed(t), 1))
	for range rounds {
		synctest.Test(t, func(t *testing.T) { randomRound(t, random) })
	}
}

func randomRound(t *testing.T, random *rand.Rand) {
	c := &slowClient{client: newClient(), random: rand.New(rand.NewPCG(random.Uint64(), 2)), on: map[core.ID]int{}}
	s := follow(t, newKernel("n0", "n1", "n2"), c)
	for range 200 {
		s.disturb(random)
		if random.IntN(3) > 0 {
			s.f.hint(t.Context(), someHint(random))
		}
		time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	s.same()
	s.end()
	for id, n := range c.on {
		if d, err := s.reg.Lookup(id); n != 1 || err != nil {
			t.Errorf("the client is on %v %d times: %v, %v", id, n, d, err)
		}
	}
}

func someHint(random *rand.Rand) hint {
	switch random.IntN(4) {
	case 0:
		return hint{}
	case 1:
		return hint{index: rdma.Known(uint32(random.IntN(50)))}
	}
	return hint{name: fmt.Sprintf("n%d", random.IntN(5))}
}

// disturb changes something in the kernel. There are few names, so that they are
// used again and again.
func (s *following) disturb(random *rand.Rand) {
	name := fmt.Sprintf("n%d", random.IntN(5))
	s.kernel.mu.Lock()
	var indices []uint32
	taken := false
	for i, d := range s.devices {
		indices = append(indices, i)
		taken = taken || d.Name == name
	}
	s.kernel.mu.Unlock()
	if len(indices) == 0 {
		s.add(name)
		return
	}
	one := indices[random.IntN(len(indices))]
	switch random.IntN(5) {
	case 0:
		if !taken {
			s.add(name)
		}
	case 1:
		s.remove(one)
	case 2:
		if !taken {
			s.rename(one, name)
		}
	case 3:
		s.swap(one, indices[random.IntN(len(indices))])
	case 4:
		s.change(one, func(d *rdma.Device) { d.Firmware = fmt.Sprint(random.IntN(3)) })
	}
}

func (k *kernel) swap(a, b uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	x, y := k.devices[a], k.devices[b]
	x.Name, y.Name = y.Name, x.Name
	k.devices[a], k.devices[b] = x, y
	if a == b {
		k.devices[a] = y
	}
}
