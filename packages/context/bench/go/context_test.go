// Go's own context on the rows of the table, for `go test -bench .`.
package bench

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

type key int

var (
	sinkContext context.Context
	sinkError   error
	sinkValue   any
	sinkCancel  context.CancelFunc
)

func BenchmarkDeriveCancel(b *testing.B) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; i < b.N; i++ {
		ctx, cancel := context.WithCancel(parent)
		sinkContext, sinkCancel = ctx, cancel
		cancel()
	}
}

func BenchmarkDeriveCancelSiblings(b *testing.B) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	kept := make([]context.CancelFunc, 10_000)
	for i := range kept {
		_, kept[i] = context.WithCancel(parent)
	}
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		ctx, cancel := context.WithCancel(parent)
		sinkContext, sinkCancel = ctx, cancel
		cancel()
	}
	runtime.KeepAlive(kept)
}

func BenchmarkDeriveTimeout(b *testing.B) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; i < b.N; i++ {
		ctx, cancel := context.WithTimeout(parent, time.Minute)
		sinkContext, sinkCancel = ctx, cancel
		cancel()
	}
}

// each reports the time of `act` alone, divided by how many things it acted on.
func each(b *testing.B, count int, prepare func() (act func())) {
	var spent time.Duration
	for i := 0; i < b.N; i++ {
		act := prepare()
		from := time.Now()
		act()
		spent += time.Since(from)
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/float64(count), "ns/each")
}

type listener struct {
	context.Context
	cancel context.CancelFunc
}

// A child that is told in its turn, without a goroutine each: Go's nearest to a synchronous callback.
func BenchmarkCancelWide(b *testing.B) {
	const width = 10_000
	each(b, width, func() func() {
		parent, cancel := context.WithCancel(context.Background())
		kept := make([]listener, width)
		for i := range kept {
			kept[i].Context, kept[i].cancel = context.WithCancel(parent)
			kept[i].Context.Done()
		}
		sinkValue = kept
		return cancel
	})
}

// fanOut ends trees of one shape, in which every context is told in its turn; `grow` adds what child makes under a top.
func fanOut(b *testing.B, size, trees int, grow func(top context.Context, child func(context.Context) context.Context)) {
	each(b, size*trees, func() func() {
		cancels := make([]context.CancelFunc, trees)
		var kept []listener
		child := func(parent context.Context) context.Context {
			ctx, cancel := context.WithCancel(parent)
			ctx.Done()
			kept = append(kept, listener{ctx, cancel})
			return ctx
		}
		for i := range cancels {
			var top context.Context
			top, cancels[i] = context.WithCancel(context.Background())
			grow(top, child)
		}
		sinkValue = kept
		return func() {
			for _, cancel := range cancels {
				cancel()
			}
		}
	})
}

func wide(width int) func(context.Context, func(context.Context) context.Context) {
	return func(top context.Context, child func(context.Context) context.Context) {
		for i := 0; i < width; i++ {
			child(top)
		}
	}
}

func BenchmarkFanOutWide10(b *testing.B)   { fanOut(b, 10, 1000, wide(10)) }
func BenchmarkFanOutWide1000(b *testing.B) { fanOut(b, 1000, 10, wide(1000)) }

func BenchmarkFanOutSquare100(b *testing.B) {
	fanOut(b, 100+100*100, 1, func(top context.Context, child func(context.Context) context.Context) {
		for i := 0; i < 100; i++ {
			wide(100)(child(top), child)
		}
	})
}

func BenchmarkFanOutDeep1000(b *testing.B) {
	fanOut(b, 1000, 10, func(top context.Context, child func(context.Context) context.Context) {
		for i := 0; i < 1000; i++ {
			top = child(top)
		}
	})
}

// Go has no callbacks but in goroutines of their own, which are waited for.
func BenchmarkCallbacks10000(b *testing.B) {
	const count = 10_000
	each(b, count, func() func() {
		ctx, cancel := context.WithCancel(context.Background())
		var called sync.WaitGroup
		called.Add(count)
		for i := 0; i < count; i++ {
			context.AfterFunc(ctx, called.Done)
		}
		return func() {
			cancel()
			called.Wait()
		}
	})
}

func deep(b *testing.B, depth int) {
	each(b, depth, func() func() {
		top, cancel := context.WithCancel(context.Background())
		ctx := top
		for i := 0; i < depth; i++ {
			ctx, sinkCancel = context.WithCancel(ctx)
		}
		sinkContext = ctx
		return cancel
	})
}

func BenchmarkCancelDeep1000(b *testing.B)  { deep(b, 1000) }
func BenchmarkCancelDeep10000(b *testing.B) { deep(b, 10_000) }

func BenchmarkErr(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; i < b.N; i++ {
		sinkError = ctx.Err()
	}
}

func BenchmarkErrDeadline(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	for i := 0; i < b.N; i++ {
		sinkError = ctx.Err()
	}
}

func BenchmarkWithValue(b *testing.B) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := 0; i < b.N; i++ {
		sinkContext = context.WithValue(parent, key(0), i)
	}
}

func BenchmarkDeepValue(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := key(0); i < 10; i++ {
		ctx = context.WithValue(ctx, i, i)
	}
	for i := 0; i < b.N; i++ {
		sinkValue = ctx.Value(key(0))
	}
}

func BenchmarkBytesChild(b *testing.B) {
	const count = 100_000
	var before, after runtime.MemStats
	var total float64
	for i := 0; i < b.N; i++ {
		parent, cancel := context.WithCancel(context.Background())
		kept := make([]context.Context, count)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for j := range kept {
			kept[j], sinkCancel = context.WithCancel(parent)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		total += float64(after.HeapAlloc-before.HeapAlloc) / count
		runtime.KeepAlive(kept)
		cancel()
	}
	b.ReportMetric(total/float64(b.N), "bytes/each")
}

func deadlines(b *testing.B, create bool) {
	const count = 100_000
	var spent time.Duration
	for i := 0; i < b.N; i++ {
		cancels := make([]context.CancelFunc, count)
		from := time.Now()
		for j := range cancels {
			_, cancels[j] = context.WithTimeout(context.Background(), time.Hour+time.Duration(j)*time.Millisecond)
		}
		if create {
			spent += time.Since(from)
		}
		from = time.Now()
		for _, cancel := range cancels {
			cancel()
		}
		if !create {
			spent += time.Since(from)
		}
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/count, "ns/each")
}

func BenchmarkDeadlineCreate(b *testing.B) { deadlines(b, true) }
func BenchmarkDeadlineClear(b *testing.B)  { deadlines(b, false) }
