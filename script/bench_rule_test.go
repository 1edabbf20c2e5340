package script

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua"
)

const (
	goodScript = "return {on_invite = function() return b2b.reject(486) end}"
	badScript  = "return {on_invite = function() error('no luck') end}"
)

// benching is a policy over main.lua that benches after three errors within a
// minute; changes gets what it tells.
func benching(t *testing.T, main string, changes *[]string) *rig {
	t.Helper()
	r, err := try(t, map[string]string{"main.lua": main}, func(c *Config) {
		c.Bench = func() Bench { return Bench{Errors: 3, Window: time.Minute} }
		c.Changed = func(c Change, text string) { *changes = append(*changes, string(c)+" "+text) }
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// save makes main live.
func (r *rig) save(t *testing.T, main string) {
	t.Helper()
	write(t, r.dir, map[string]string{"main.lua": main})
	if rep, err := r.Reload(t.Context()); err != nil || !rep.Changed {
		t.Fatal(rep, err)
	}
}

// place plays n calls that get no further than on_invite.
func (r *rig) place(t *testing.T, n int) (last b2bua.Decision) {
	t.Helper()
	for range n {
		c := r.call(t)
		last = c.invite().Decision
		c.Close()
	}
	synctest.Wait()
	return last
}

func TestAScriptThatErrsTooOftenIsBenched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		r := benching(t, goodScript, &changes)
		defer r.Close()
		good := r.Status().Name
		r.place(t, 1)
		r.save(t, badScript)
		bad := r.Status().Name
		held := r.call(t)
		r.place(t, 2)
		if s := r.Status(); s.Name != bad || s.Generations[0].Errors != 2 {
			t.Fatalf("%+v", s)
		}
		if d := r.place(t, 1); reflect.TypeOf(d) != reflect.TypeFor[b2bua.Failed]() {
			t.Fatalf("%#v", d)
		}
		if d := r.place(t, 1); !reflect.DeepEqual(d, b2bua.Reject{Code: 486}) {
			t.Errorf("the next call gets %#v", d)
		}
		s := r.Status()
		if s.Name != good || len(s.Generations) != 2 || s.Generations[1].State != Benched || s.Generations[1].Calls != 1 || s.Generations[1].Errors != 3 {
			t.Errorf("%+v", s)
		}
		wantIn(t, s.Failure, bad+" has errors: 3 within 1m0s; "+good+" is live until a reload")
		if len(changes) != 1 || !strings.HasPrefix(changes[0], "script.benched "+bad) {
			t.Errorf("%q", changes)
		}
		wantIn(t, r.log.String(), "level=ERROR msg=\"the script errs too often: the last good one is live until a reload\"")
		if held.Name() != bad {
			t.Error("a call in progress has changed its generation")
		}
		held.Close()
		if s := r.Status(); len(s.Generations) != 2 || s.Generations[1].Calls != 0 {
			t.Errorf("it is no longer told: %+v", s)
		}
	})
}

func TestAReloadBringsABenchedScriptBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		r := benching(t, goodScript, &changes)
		defer r.Close()
		good := r.Status().Name
		r.place(t, 1)
		r.save(t, badScript)
		bad := r.Status().Name
		r.place(t, 3)
		r.load.Lock()
		rep, err := r.reload(t.Context(), false)
		r.load.Unlock()
		if rep.Changed || err != nil || r.Status().Name != good {
			t.Errorf("the watcher has brought it back: %+v %v", rep, err)
		}
		if rep, err := r.Reload(t.Context()); err != nil || !rep.Changed || rep.Name != bad {
			t.Errorf("%+v %v", rep, err)
		}
		if s := r.Status(); s.Failure != "" || len(s.Generations) != 1 {
			t.Errorf("%+v", s)
		}
		r.place(t, 3)
		if s := r.Status(); s.Name != good || len(changes) != 2 {
			t.Errorf("%+v %q: it still errs", s, changes)
		}
	})
}

func TestErrorsNowAndThenBenchNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		r := benching(t, goodScript, &changes)
		defer r.Close()
		r.place(t, 1)
		r.save(t, badScript)
		bad := r.Status().Name
		for range 10 {
			r.place(t, 1)
			<-time.After(31 * time.Second)
		}
		if s := r.Status(); s.Name != bad || len(changes) > 0 {
			t.Errorf("%+v %q", s, changes)
		}
	})
}

func TestTheFirstScriptStaysWhateverItDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		r := benching(t, badScript, &changes)
		defer r.Close()
		first := r.Status().Name
		r.place(t, 10)
		if s := r.Status(); s.Name != first || len(changes) > 0 {
			t.Errorf("%+v %q", s, changes)
		}
		if n := strings.Count(r.log.String(), "the script errs too often and stays"); n != 1 {
			t.Errorf("said %d times", n)
		}
		wantIn(t, r.log.String(), "there is no earlier version that was good")
	})
}

func TestAVersionThatErredIsNotComeBackTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		r := benching(t, goodScript, &changes)
		defer r.Close()
		good := r.Status().Name
		r.place(t, 1)
		r.save(t, badScript)
		r.place(t, 2)
		r.save(t, badScript+" -- once more")
		r.place(t, 3)
		if s := r.Status(); s.Name != good {
			t.Errorf("%+v", s)
		}
	})
}

func TestAGenerationThatIsLiveNoMoreIsNotBenched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		r := benching(t, goodScript, &changes)
		defer r.Close()
		r.place(t, 1)
		r.save(t, badScript)
		bad := r.live
		r.place(t, 1)
		r.save(t, goodScript+" -- mended")
		r.place(t, 1)
		name := r.Status().Name
		r.bench(bad, Bench{Errors: 1, Window: time.Minute}) // its last error, told late
		if s := r.Status(); s.Name != name || s.Failure != "" || len(changes) > 0 {
			t.Errorf("%+v, %q", s, changes)
		}
	})
}
