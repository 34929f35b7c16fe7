package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/roce/gidrules"
	"github.com/ibctl/ibctl/plugins/roce/survey"
)

// TestGIDAuditRandom changes random topologies and audits them. The oracle is
// the kernel itself: a device that is made anew has what the rules say. So what
// an audit finds before is what the kernel lost or left behind, and after that
// there must be nothing to find.
func TestGIDAuditRandom(t *testing.T) {
	seeds := gidSeeds(t, soak.Times(6, 200))
	causes := map[gidrules.Cause]int{}
	for i, seed := range seeds {
		if !t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { auditRandom(t, seed, causes, i%20 == 0) }) {
			t.Logf("%d of %d topologies done; repeat this one with %s=%d", i+1, len(seeds), lab.EnvSeed, seed)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(causes)) {
		t.Logf("%4d × %s", causes[c], c)
	}
}

// gidSeeds are those of the topologies: the one that IBCTL_SEED names, or some.
func gidSeeds(t *testing.T, count int) []uint64 {
	if seed, ok := soak.Repeated(t); ok {
		return []uint64{seed}
	}
	seeds := make([]uint64, count)
	for i := range seeds {
		seeds[i] = soak.Seed(t, i+1)
	}
	return seeds
}

// auditRandom audits one topology, in this process, as to start ibctl takes most of a second in the lab; and where wanted by ibctl, too.
func auditRandom(t *testing.T, seed uint64, causes map[gidrules.Cause]int, byCommand bool) {
	t.Logf("%s=%d", lab.EnvSeed, seed)
	begin := time.Now()
	w, n := newGIDWorld(t, rand.New(rand.NewPCG(seed, 1)))
	defer func() {
		w.close()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	w.build()
	for range 8 + w.rand.IntN(16) {
		w.step()
	}
	w.forget()
	if len(w.hcas) == 0 {
		w.addHCA(w.pick(w.of("dummy")))
	}
	changed := time.Since(begin)
	found := differences(w.audit(t))
	for _, f := range found {
		causes[f.Cause]++
		t.Logf("%s", f)
		if !w.couldBe(f) {
			t.Errorf("nothing was done that leads to %s", f.Cause)
		}
	}
	if byCommand {
		sameByCommand(t, found)
	}
	audited := time.Since(begin)
	w.remake()
	for _, f := range differences(w.audit(t)) {
		t.Errorf("of a device made anew: %s", f)
	}
	if t.Failed() || testing.Verbose() && len(found) > 0 {
		for _, op := range w.done {
			t.Logf("  %v", op)
		}
	}
	t.Logf("%d changes, %d devices, %d differences; %v to change, %v to audit, %v to make devices anew and audit again", len(w.done), len(w.hcas), len(found),
		changed.Round(time.Millisecond), (audited - changed).Round(time.Millisecond), (time.Since(begin) - audited).Round(time.Millisecond))
}

// portFinding is a finding with its port.
type portFinding struct {
	port string
	gidrules.Finding
}

func (f portFinding) String() string {
	gid, _ := f.GID.Get()
	return fmt.Sprintf("%s: %s %v of %s, cause %q, chain %s: %s", f.port, f.Kind, gid.Addr(), f.Netdev, f.Cause, strings.Join(f.Chain, " < "), strings.Join(f.Evidence, "; "))
}

// differences returns the findings that say that a table is not as the rules
// would have it.
func differences(reports []survey.Report) []portFinding {
	var found []portFinding
	for _, r := range reports {
		for _, f := range r.Findings {
			switch f.Kind {
			case gidrules.Ambiguous, gidrules.SameSubnet:
			default:
				found = append(found, portFinding{r.String(), f})
			}
		}
	}
	return found
}

// sameByCommand audits with ibctl and compares.
func sameByCommand(t *testing.T, found []portFinding) {
	t.Helper()
	r := ibctl(t, "", "gid", "audit", "-o", "json")
	var doc struct {
		Items []struct {
			Device   string
			Port     uint32
			Findings []struct{ Finding, Netdev, Cause string }
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil || r.stderr != "" {
		t.Fatalf("ibctl gid audit: %v, exit code %d, %s", err, r.code, r.stderr)
	}
	var got, want []string
	for _, item := range doc.Items {
		for _, f := range item.Findings {
			if f.Finding != string(gidrules.Ambiguous) && f.Finding != string(gidrules.SameSubnet) {
				got = append(got, fmt.Sprintf("%s/%d %s %s %s", item.Device, item.Port, f.Finding, f.Netdev, f.Cause))
			}
		}
	}
	for _, f := range found {
		want = append(want, fmt.Sprintf("%s %s %s %s", f.port, f.Kind, f.Netdev, f.Cause))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("ibctl gid audit finds %q, and the audit in this process %q", got, want)
	}
}

// worldTables are the tables of a world's devices. No address of this small world lies behind a gap of 64 slots, and to read the thousand
// slots of each device takes most of a second in the lab.
type worldTables struct{ hcas []string }

func (w worldTables) Read(ctx context.Context) (tables []survey.Table) {
	for _, name := range w.hcas {
		table := survey.Table{PortName: survey.PortName{Device: name, Port: 1}}
		d, err := sysfs.Live().OpenDevice(name)
		if table.Err = err; err == nil {
			table.GIDTable, table.Warnings, table.Err = d.UsedGIDs(ctx, name, 1, sysfs.Used{Gap: 64})
			table.Slots = 1024
			_ = d.Close()
		}
		tables = append(tables, table)
	}
	return tables
}

func (w worldTables) Same(ctx context.Context, tables []survey.Table) bool {
	for i, now := range w.Read(ctx) {
		if !reflect.DeepEqual(now.GIDTable, tables[i].GIDTable) {
			return false
		}
	}
	return true
}

// audit audits all devices, in this process.
func (w *gidWorld) audit(t testing.TB) []survey.Report {
	t.Helper()
	tables := worldTables{slices.Sorted(maps.Keys(w.hcas))}
	s, err := survey.Settled(t.Context(), survey.Live(tables), (*survey.Survey).Sound)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Warnings) > 0 || s.Netdevs.Partial {
		t.Errorf("partial %v, warnings %v", s.Netdevs.Partial, s.Warnings)
	}
	for p, ref := range s.Behind {
		if n := gidrules.NewWorld(&s.Netdevs).Node(ref); n == nil || n.Name != w.hcas[p.Device] {
			t.Errorf("%v: netdev %+v, want %s", p, ref, w.hcas[p.Device])
		}
	}
	return s.Audit(func(p survey.PortName, netdev string) []string {
		return gidrules.Rebuild(p.Device, "rdma_rxe", "", netdev)
	})
}

// couldBe tells whether the history has what a cause is made of.
func (w *gidWorld) couldBe(f portFinding) bool {
	did := func(words ...string) bool {
		return slices.ContainsFunc(w.done, func(o gidOp) bool { return o.refused == nil && slices.Contains(words, o.what) })
	}
	switch f.Cause {
	case gidrules.BondMACOnInactive, gidrules.MACChanged:
		return did("mac", "enslave", "failover", "down", "release")
	case gidrules.SilentFailover, gidrules.FailoverTookUppers, gidrules.OwnBondFailover, gidrules.LastSlaveDown:
		return did("failover", "down", "up", "release", "enslave")
	case gidrules.ReleasedSlave:
		return did("release", "remove")
	case gidrules.OneWayUnlinked, gidrules.NestedBond, gidrules.LinkedWhileInactive:
		return did("enslave", "make")
	case gidrules.NetdevGone:
		return did("remove")
	case gidrules.AddressGone, gidrules.Lost, gidrules.NotUpper:
		return did("no-address", "down", "release", "remove")
	}
	return false
}
