package core

import (
	"context"
	"fmt"
	"testing"
)

// The cost of an operation must not depend on how many devices there are: each
// benchmark runs with 10, 100 and 1000, and reports the operations a second of
// one device.

const benchClients = 8

// idler is a client that does nothing.
type idler struct{ name string }

func (c idler) Name() string                                     { return c.name }
func (idler) Add(context.Context, Device) (any, error)           { return nil, nil }
func (idler) Remove(context.Context, Device, any) error          { return nil }
func (idler) Changed(context.Context, Device, any, Change) error { return nil }

// forSizes runs a benchmark on registries with that many devices and 8 clients.
func forSizes(b *testing.B, bench func(b *testing.B, r *Registry, ids []ID)) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("devices=%d", n), func(b *testing.B) {
			r := NewRegistry(Options{})
			for i := range benchClients {
				benchMust(b, r.RegisterClient(b.Context(), idler{fmt.Sprintf("client%d", i)}))
			}
			bench(b, r, fill(b, r, n))
		})
	}
}

func fill(b *testing.B, r *Registry, n int) []ID {
	ids := make([]ID, n)
	for i := range ids {
		id, err := r.RegisterDevice(b.Context(), hca(fmt.Sprintf("mlx5_%d", i), uint32(i)))
		benchMust(b, err)
		ids[i] = id
	}
	return ids
}

func benchMust(b *testing.B, err error) {
	if err != nil {
		b.Fatal(err)
	}
}

// perDevice reports how often a second one device was served, when each
// iteration served that many.
func perDevice(b *testing.B, devices int) {
	b.ReportMetric(float64(b.N)*float64(devices)/b.Elapsed().Seconds(), "device-ops/s")
}

// BenchmarkRegisterDevice registers and unregisters one device beside the
// others: 8 Adds and 8 Removes.
func BenchmarkRegisterDevice(b *testing.B) {
	forSizes(b, func(b *testing.B, r *Registry, _ []ID) {
		b.ReportAllocs()
		for b.Loop() {
			id, err := r.RegisterDevice(b.Context(), hca("rxe0", 5000))
			benchMust(b, err)
			benchMust(b, r.UnregisterDevice(b.Context(), id))
		}
		perDevice(b, 1)
	})
}

// BenchmarkRegisterAllDevices takes all devices away and brings them back.
func BenchmarkRegisterAllDevices(b *testing.B) {
	forSizes(b, func(b *testing.B, r *Registry, ids []ID) {
		for b.Loop() {
			for _, id := range ids {
				benchMust(b, r.UnregisterDevice(b.Context(), id))
			}
			ids = fill(b, r, len(ids))
		}
		perDevice(b, len(ids))
	})
}

// BenchmarkRegisterClient adds a ninth client to all devices and removes it.
func BenchmarkRegisterClient(b *testing.B) {
	forSizes(b, func(b *testing.B, r *Registry, ids []ID) {
		for b.Loop() {
			benchMust(b, r.RegisterClient(b.Context(), idler{"ninth"}))
			benchMust(b, r.UnregisterClient(b.Context(), "ninth"))
		}
		perDevice(b, len(ids))
	})
}

// BenchmarkNotify tells 8 clients of a change to one device.
func BenchmarkNotify(b *testing.B) {
	forSizes(b, func(b *testing.B, r *Registry, ids []ID) {
		for i := 0; b.Loop(); i++ {
			benchMust(b, r.Notify(b.Context(), ids[i%len(ids)], ChangeGIDs))
		}
		perDevice(b, 1)
	})
}

// BenchmarkAcquire leases a device and releases it.
func BenchmarkAcquire(b *testing.B) {
	forSizes(b, func(b *testing.B, r *Registry, ids []ID) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			lease, err := r.Acquire(ids[i%len(ids)], "bench")
			benchMust(b, err)
			lease.Release()
		}
		perDevice(b, 1)
	})
}

// BenchmarkLookupName finds a device by name, from all processors.
func BenchmarkLookupName(b *testing.B) {
	forSizes(b, func(b *testing.B, r *Registry, _ []ID) {
		b.ResetTimer() // Loop would do it
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := r.LookupName("mlx5_7"); err != nil {
					b.Error(err)
				}
			}
		})
		perDevice(b, 1)
	})
}

// BenchmarkData asks for a client's data, from all processors.
func BenchmarkData(b *testing.B) {
	forSizes(b, func(b *testing.B, r *Registry, ids []ID) {
		b.ResetTimer() // Loop would do it
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := r.Data("client7", ids[7]); err != nil {
					b.Error(err)
				}
			}
		})
		perDevice(b, 1)
	})
}

// BenchmarkDevices lists all devices.
func BenchmarkDevices(b *testing.B) {
	forSizes(b, func(b *testing.B, r *Registry, ids []ID) {
		for b.Loop() {
			if len(r.Devices()) != len(ids) {
				b.Fatal("devices are missing")
			}
		}
		perDevice(b, len(ids))
	})
}
