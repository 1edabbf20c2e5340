package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

// stage is a rig whose calls are followed as the engine's are.
type stage struct {
	*rig
	t       *testing.T
	changes []string
	kept    []string // main.lua of what was kept
	refuses error    // of the folder to be changed
	n       int
}

const routes = "return {on_invite = function() return b2b.route { to = { trunk = 'pbx' } } end}"

func staged(t *testing.T, change ...func(*Config)) *stage {
	t.Helper()
	s := &stage{t: t}
	r, err := try(t, map[string]string{"main.lua": routes}, append(change, func(c *Config) {
		c.Changed = func(c Change, text string) { s.changes = append(s.changes, string(c)+" "+text) }
		c.Keep = func(files fs.FS) error {
			if s.refuses != nil {
				return s.refuses
			}
			src, err := fs.ReadFile(files, "main.lua")
			s.kept = append(s.kept, string(src))
			write(t, s.dir, map[string]string{"main.lua": string(src)})
			return err
		}
	})...)
	if err != nil {
		t.Fatal(err)
	}
	s.rig = r
	return s
}

// folderOf is a folder with that main file.
func folderOf(main string) fs.FS { return fstest.MapFS{"main.lua": {Data: []byte(main)}} }

func (s *stage) deploy(main string, share float64, after time.Duration) error {
	return s.Deploy(s.t.Context(), Plan{Files: folderOf(main), Share: share, Min: 100, After: after})
}

// begun is the engine's side of a call that tells how it begins.
type begun struct {
	fakeCall
	opening b2bua.Opening
}

func (b *begun) Opening() b2bua.Opening { return b.opening }

// fate is what becomes of a call.
type fate struct {
	rings, answers time.Duration // 0: it does not
}

// call begins a call of a caller of its own, and plays it to its end.
func (s *stage) call(caller string, f func(c b2bua.Router, d b2bua.Decided) fate) {
	s.n++
	id := fmt.Sprint("call-", s.n)
	c := s.Router(&begun{fakeCall{deaf: true}, b2bua.Opening{ID: id, Trunk: "carrier", Caller: caller, Call: true}})
	defer c.Close()
	began := time.Now()
	d := c.Invite(context.Background(), b2bua.View{ID: id, Request: invite(s.t), Source: b2bua.Source{Trunk: "carrier"}})
	tell := func(kind b2bua.Kind, after time.Duration, m *message.Message) {
		s.Observe(b2bua.Event{Kind: kind, Call: id, At: began.Add(after), Leg: b2bua.Leg{Role: b2bua.RoleA}, Message: m})
	}
	how := f(c, d)
	if how.rings > 0 {
		tell(b2bua.EventSent, how.rings, answerTo(s.t, 180))
	}
	if how.answers > 0 {
		tell(b2bua.EventAnswered, how.answers, nil)
	}
	tell(b2bua.EventEnded, time.Minute, nil)
}

// flow plays n calls, of which the canary's fare otherwise, and lets them be
// judged.
func (s *stage) flow(n int, live, canary fate) {
	name := s.Status().Name
	for i := range n {
		s.call(fmt.Sprintf("sip:%d@carrier.example", i), func(c b2bua.Router, d b2bua.Decided) fate {
			if c.Name() != name {
				return canary
			}
			return live
		})
	}
	s.pass(2 * judgeEvery)
}

func (s *stage) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// ended is how the trial ended; the last line that was told says the same.
func (s *stage) ended(want Change, why ...string) {
	s.t.Helper()
	trial := s.Status().Trial
	if trial == nil || trial.Result != string(want) {
		s.t.Fatalf("%+v", trial)
	}
	wantIn(s.t, trial.Why, why...)
	wantIn(s.t, s.changes[len(s.changes)-1], append(why, string(want))...)
}

var (
	well   = fate{rings: time.Second, answers: 5 * time.Second}
	silent = fate{}
)

func TestACanaryThatIsNoWorseIsPromoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := staged(t)
		defer s.Close()
		old := s.Status().Name
		next := routes + " -- better"
		if err := s.deploy(next, 0.3, time.Minute); err != nil {
			t.Fatal(err)
		}
		wantIn(t, s.changes[0], "script.deployed main.lua@", "is tried by 30% of the calls, by caller")
		if err := s.deploy(next, 0.3, 0); err == nil {
			t.Error("two at once")
		}
		s.flow(1000, well, well)
		st := s.Status()
		if st.Name != old || len(st.Generations) != 2 || st.Generations[1].State != Canary {
			t.Fatalf("%+v", st)
		}
		if n := st.Trial.Canary.Begun; n < 250 || n > 350 || n+st.Trial.Live.Begun != 1000 || st.Trial.Canary.Delay != 1 {
			t.Errorf("%+v", st.Trial)
		}
		wantIn(t, st.Trial.Why, "no worse so far; promoted in 50s")
		s.pass(time.Minute)
		s.ended(ChangePromoted, "no worse after", "answered 100.0% (")
		if st := s.Status(); st.Name == old || len(st.Generations) != 1 || st.Generations[0].State != Live || st.Failure != "" {
			t.Errorf("%+v", st)
		}
		if !slices.Equal(s.kept, []string{next}) {
			t.Errorf("kept %q", s.kept)
		}
		if rep, err := s.Reload(t.Context()); err != nil || rep.Changed {
			t.Errorf("the folder holds something else: %+v %v", rep, err)
		}
	})
}

func TestAWorseCanaryIsRolledBack(t *testing.T) {
	for name, one := range map[string]struct {
		main   string
		live   fate
		canary fate
		why    string
	}{
		"rejects":   {"return {on_invite = function() return b2b.reject(480) end}", well, silent, "calls rejected by the script 100.0%"},
		"errs":      {"return {on_invite = function() error('no') end}", well, silent, "calls with script errors 100.0%"},
		"unheard":   {routes + " --", well, silent, "calls answered 0.0%"},
		"is slower": {routes + " --", well, fate{2 * time.Second, 5 * time.Second}, "median post-dial delay 2.00 s against 1.00 s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := staged(t)
				defer s.Close()
				old := s.Status().Name
				if err := s.deploy(one.main, 0.3, time.Second); err != nil {
					t.Fatal(err)
				}
				s.flow(1000, one.live, one.canary)
				s.ended(ChangeRolledBack, one.why)
				if st := s.Status(); st.Name != old || len(st.Generations) != 1 || len(s.kept) > 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestFewCallsDecideNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := staged(t)
		defer s.Close()
		if err := s.deploy(routes+" --", 0.3, time.Minute); err != nil {
			t.Fatal(err)
		}
		s.flow(150, well, silent)
		s.pass(24 * time.Hour)
		wantIn(t, s.Status().Trial.Why, "not enough calls yet: ", " of 100 on the canary")
	})
}

func TestACallerMeetsTheSameVersionAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := staged(t)
		defer s.Close()
		for _, by := range []By{ByCaller, ByTrunk} {
			if err := s.Deploy(t.Context(), Plan{Files: folderOf(routes + " --"), Share: 0.5, By: by}); err != nil {
				t.Fatal(err)
			}
			met := map[string]map[string]int{}
			for i := range 200 {
				caller := fmt.Sprintf("sip:%d@carrier.example", i%20)
				s.call(caller, func(c b2bua.Router, _ b2bua.Decided) fate {
					if by == ByTrunk {
						caller = "carrier"
					}
					if met[caller] == nil {
						met[caller] = map[string]int{}
					}
					met[caller][c.Name()]++
					return well
				})
			}
			for caller, versions := range met {
				if len(versions) != 1 {
					t.Errorf("by %s: %s met %v", by, caller, versions)
				}
			}
			if err := s.Rollback("a test"); err != nil {
				t.Error(err)
			}
			s.ended(ChangeRolledBack, "asked for by a test")
		}
	})
}

func TestADeploymentThatCannotWorkChangesNothing(t *testing.T) {
	s := staged(t, func(c *Config) {
		c.Test = func(_ context.Context, snap *Snapshot) error {
			if snap.Deployed() == nil {
				t.Error("the tests do not know that it is another folder")
			}
			return errors.New("x_test.lua:1: it rings nobody")
		}
	})
	before := s.Status()
	for name, plan := range map[string]Plan{
		"main.lua:1":           {Files: folderOf("return {on_invit = 1}")},
		"it rings nobody":      {Files: fstest.MapFS{"main.lua": {Data: []byte(routes)}, "x_test.lua": {Data: []byte("return 1")}}, Share: 0.1},
		"no such script":       {Files: fstest.MapFS{"other.lua": {Data: []byte(routes)}}},
		"more than 0 and less": {Files: folderOf(routes + "--"), Share: 1},
		`not by "chance"`:      {Files: folderOf(routes + "--"), By: "chance"},
		"no scripts":           {},
	} {
		if err := s.Deploy(t.Context(), plan); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := s.Status(); after.Name != before.Name || after.Trial != nil || len(after.Generations) != 1 || len(s.changes)+len(s.kept) > 0 {
		t.Errorf("%+v %q", after, s.changes)
	}
	for _, end := range []func(string) error{s.Promote, s.Rollback} {
		if err := end("a test"); !errors.Is(err, ErrNoTrial) {
			t.Error(err)
		}
	}
}

func TestAFolderThatCannotBeChangedIsSaidSo(t *testing.T) {
	s := staged(t)
	s.refuses = errors.New("read-only file system")
	if err := s.deploy(routes+" -- other", 0, 0); err != nil {
		t.Fatal(err)
	}
	st := s.Status()
	wantIn(t, st.Failure, st.Name+" is live until a restart or reload, and not in the scripts' folder: read-only file system")
	s.load.Lock()
	rep, err := s.reload(t.Context(), false)
	s.load.Unlock()
	if rep.Changed || err != nil || s.Status().Name != st.Name {
		t.Errorf("the watcher has undone it: %+v %v", rep, err)
	}
}

func TestWhatElseHappensEndsACanary(t *testing.T) {
	for name, one := range map[string]struct {
		happens func(s *stage)
		why     string
	}{
		"a saved folder": {func(s *stage) { s.save(s.t, routes+" -- saved") }, "the scripts' folder or the configuration has changed meanwhile"},
		"the end":        {func(s *stage) { s.Close() }, "shutdown"},
		"its errors": {func(s *stage) {
			for i := range 20 {
				s.mayErr(i)
			}
		}, "has errors: 3 within 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := staged(t, func(c *Config) { c.Bench = func() Bench { return Bench{Errors: 3, Window: time.Minute} } })
				defer s.Close()
				if err := s.deploy(badScript, 0.5, time.Minute); err != nil {
					t.Fatal(err)
				}
				canary := s.trial.Load().gen
				held := map[string]b2bua.Router{}
				for i := 0; len(held) < 2; i++ { // one of each version
					c := s.Router(&begun{opening: b2bua.Opening{ID: fmt.Sprint("held", i), Caller: fmt.Sprint(i), Call: true}})
					if held[c.Name()] != nil {
						c.Close()
						continue
					}
					held[c.Name()] = c
				}
				names := slices.Sorted(maps.Keys(held))
				one.happens(s)
				synctest.Wait()
				s.ended(ChangeRolledBack, one.why)
				if canary.calls != 1 || canary.state != Old {
					t.Errorf("%d calls, %s", canary.calls, canary.state)
				}
				for _, name := range names {
					if held[name].Name() != name {
						t.Error("a call changed its generation")
					}
					held[name].Close()
				}
				synctest.Wait()
				if st := s.Status(); len(st.Generations) != 1 || canary.calls != 0 {
					t.Errorf("generations stay behind: %+v", st.Generations)
				}
			})
		})
	}
}

// mayErr plays a call that the canary may err in.
func (s *stage) mayErr(i int) {
	s.call(fmt.Sprintf("sip:%d@carrier.example", i), func(b2bua.Router, b2bua.Decided) fate { return silent })
}

func TestSharesAreComparedByIntervals(t *testing.T) {
	for _, one := range []struct {
		part, of, otherPart, otherOf int
		want                         bool
	}{
		{0, 0, 0, 0, false},
		{5, 20, 0, 0, false},
		{1, 20, 0, 400, false},
		{8, 20, 0, 400, true},
		{55, 100, 500, 1000, false},
		{800, 1000, 500, 1000, true},
	} {
		if got := above(one.part, one.of, one.otherPart, one.otherOf); got != one.want {
			t.Errorf("%+v: %v", one, got)
		}
	}
	if low, high := wilson(50, 100); low < 0.37 || low > 0.39 || high < 0.61 || high > 0.63 {
		t.Errorf("%f %f", low, high)
	}
}

func TestAnINVITEThatIsNoCallCountsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := staged(t)
		defer s.Close()
		if err := s.deploy(goodScript, 0.5, 0); err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // merged ones are given up before a script is asked
			s.Router(&begun{fakeCall{}, b2bua.Opening{ID: fmt.Sprint("merged-", i), Caller: fmt.Sprint(i), Call: true}}).Close()
		}
		s.flow(20, well, well)
		trial := s.trial.Load()
		live, canary := trial.tallies()
		if live.Begun+canary.Begun != 20 || live.Settled+canary.Settled != 20 {
			t.Errorf("live %+v, canary %+v", live, canary)
		}
		if len(trial.calls) > 0 {
			t.Errorf("%d calls are still followed", len(trial.calls))
		}
	})
}

func TestATrialThatEndsWhileItIsJudgedIsNotJudgedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := staged(t)
		defer s.Close()
		if err := s.deploy(goodScript, 0.5, 0); err != nil {
			t.Fatal(err)
		}
		trial := s.trial.Load()
		if err := s.Rollback("test"); err != nil {
			t.Fatal(err)
		}
		if s.look(trial); trial.clock.Stop() {
			t.Error("its clock goes on")
		}
	})
}

func TestAFewCallsDoNotJudgeACanary(t *testing.T) {
	plan := &Plan{Min: 200}
	live := Tally{Begun: 1000}
	for begun, want := range map[int]verdict{minErring - 1: goesOn, minErring: rollsBack} {
		if got, why := judge(plan, time.Minute, live, Tally{Begun: begun, Erring: begun}); got != want {
			t.Errorf("%d of %d calls err: %v, %s", begun, begun, got, why)
		}
	}
}
