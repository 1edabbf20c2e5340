package lua

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	glua "github.com/yuin/gopher-lua"
)

func BenchmarkHook(b *testing.B) {
	for name, src := range map[string]string{
		"empty":   "",
		"concat":  "local a, b = 'sip:', 'bob' local s for i = 1, 100 do s = a .. b .. '@x' end",
		"set":     "local t = {} for i = 1, 100 do t[i] = i end",
		"fields":  "local t = {} for i = 1, 100 do t.x = t.y end",
		"tables":  "for i = 1, 100 do local t = { 1, 2, x = 3 } end",
		"pcall":   "for i = 1, 100 do pcall(type, 1) end",
		"match":   "local s = 'sip:+4930123@sbc.example' for i = 1, 100 do local u = s:match('^sip:([^@]+)@') end",
		"globals": "for i = 1, 100 do local x = tostring end",
		"loop":    "for i = 1, 10000 do end",
	} {
		b.Run(name, func(b *testing.B) {
			s := newScript(b, Config{})
			fn, run := s.hook(src), &Run{Limits: Limits{Deadline: time.Minute}}
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Call(run, fn, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// hook is a function whose body is src.
func (s *script) hook(src string) *glua.LFunction {
	var fn *glua.LFunction
	if err := s.Call(&Run{}, s.function("return function(a) "+src+" end"), nil, func(_ *glua.LState, v glua.LValue) error {
		fn = v.(*glua.LFunction)
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	return fn
}

func BenchmarkBareCall(b *testing.B) {
	L := glua.NewState(glua.Options{SkipOpenLibs: true})
	fn := newScript(b, Config{}).hook("")
	b.ReportAllocs()
	for b.Loop() {
		if err := L.CallByParam(glua.P{Fn: fn, NRet: 1, Protect: true}); err != nil {
			b.Fatal(err)
		}
		L.SetTop(0)
	}
}

func BenchmarkNewVM(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewVM(Config{})
	}
}

func TestHookThatRunsAtOnceAllocatesNothing(t *testing.T) {
	s := newScript(t, Config{})
	fn, run := s.hook("return a"), &Run{}
	var last glua.LValue
	one := func() {
		if err := s.Call(run, fn, func(L *glua.LState) int {
			L.Push(glua.LTrue)
			return 1
		}, func(_ *glua.LState, v glua.LValue) error {
			last = v
			return nil
		}); err != nil || last != glua.LTrue {
			t.Fatal(err)
		}
	}
	one()
	if n := testing.AllocsPerRun(100, one); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestWaitingHookCostsLessThanTwentyKilobytes(t *testing.T) {
	const hooks = 500
	signal := make(chan struct{})
	var waiting atomic.Int32
	s := newScript(t, Config{Globals: []string{"wait"}, Libraries: map[string]func(*glua.LState) glua.LValue{
		"wait": func(L *glua.LState) glua.LValue {
			return L.NewFunction(Protect(func(L *glua.LState) int {
				if err := Wait(L, func(context.Context) error {
					waiting.Add(1)
					<-signal
					return nil
				}); err != nil {
					t.Error(err)
				}
				return 0
			}))
		},
	}})
	fn := s.function("wait()")
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := memory()
	var group sync.WaitGroup
	for range hooks {
		group.Go(func() {
			if err := s.Call(&Run{MayWait: true, Limits: Limits{Deadline: time.Minute}}, fn, nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for waiting.Load() < hooks {
		runtime.Gosched()
	}
	each := float64(memory()-before) / hooks
	close(signal)
	group.Wait()
	t.Logf("%.1f KB", each/1024)
	if each > 20*1024 {
		t.Fatal("over 20 KB")
	}
}
