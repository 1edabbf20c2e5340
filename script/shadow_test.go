package script

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/store"
	"legwork/script/lib"
)

// shadowOf begins a shadow of main beside the live script.
func shadowOf(t *testing.T, live, main string, change ...func(*Config)) *stage {
	t.Helper()
	s := staged(t, change...)
	s.save(t, live)
	if err := s.Deploy(t.Context(), Plan{Files: folderOf(main), Shadow: true, For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	return s
}

// whole is what a script is made of here: the same hooks with other insides.
func whole(invite, branch, rest string) string {
	return "local M = {}\nfunction M.on_invite(call)\n" + invite + "\nend\nfunction M.on_branch(call, leg, req)\n" + branch + "\nend\n" + rest + "\nreturn M\n"
}

// once plays one call to its failure, and returns what went to the callee and
// to the caller.
func (s *stage) once() (req, res *message.Message) {
	s.call("sip:a@carrier.example", func(c b2bua.Router, _ b2bua.Decided) fate {
		v := b2bua.View{ID: fmt.Sprint("call-", s.n), Request: invite(s.t)}
		leg := b2bua.Leg{Role: b2bua.RoleB, Index: 1, Trunk: "pbx"}
		req, res = invite(s.t), answerTo(s.t, 503)
		if c.Wants(b2bua.HookBranch) {
			c.Branch(v, leg, req)
		}
		if c.Wants(b2bua.HookFailure) {
			c.Failure(s.t.Context(), v, leg, res.Clone(), b2bua.OriginPeer)
		}
		if c.Wants(b2bua.HookFinal) {
			c.Final(v, res, b2bua.OriginPeer)
		}
		return silent
	})
	synctest.Wait()
	return req, res
}

// told is what the shadow says.
func (s *stage) told() *ShadowTally { return s.Status().Trial.Shadow }

const toPBX = "return b2b.route { to = { trunk = 'pbx' } }"

// comparison is a live script and a shadow, and what the shadow tells.
type comparison struct {
	live, shadow string
	what         string
	example      string // live | shadow | lines
}

func comparisons() map[string]comparison {
	return map[string]comparison{
		"another way": {
			whole(toPBX, "", ""), whole("return b2b.reject(480)", "", ""),
			"on_invite: route pbx → reject 480", "route pbx (main.lua:3) | reject 480 (main.lua:3) | ",
		},
		"another user": {
			whole(toPBX, "", ""), whole("return b2b.route { to = { trunk = 'pbx', user = '7' }, try = 3 }", "", ""),
			"on_invite: route pbx with another try, user", "route pbx (main.lua:3) | route pbx 7 try=3s (main.lua:3) | ",
		},
		"another header": {
			whole(toPBX, "req.h['X-Q'] = 'one'", ""), whole(toPBX, "\nreq.h['X-Q'] = 'two'", ""),
			"on_branch: writes other X-Q", "the default | the default | - X-Q: one (main.lua:6), + X-Q: two (main.lua:7)",
		},
		"a header less": {
			whole(toPBX, "", ""), whole(toPBX, "req.h['Supported'] = nil", ""),
			"on_branch: writes other Supported", "the default | the default | - Supported: timer, 100rel (not so at main.lua:6)",
		},
		"a new hook": {
			"return {on_invite = function() " + toPBX + " end} -- one", whole(toPBX, "return b2b.skip()", ""),
			"on_branch: the default → skip", "the default | skip (main.lua:6) | ",
		},
		"another code": {
			whole(toPBX, "", ""), whole(toPBX, "", "M.responses = b2b.response_map { [503] = 480 }"),
			"on_final: writes other status", "the default | the default | - status: 503 Service Unavailable (not so at main.lua:8), + status: 480 Temporarily Unavailable (main.lua:8)",
		},
		"an error": {
			whole(toPBX, "", ""), whole(toPBX, "\n\nerror('no')", ""),
			"on_branch: fails at main.lua:8", "the default | an error: no (main.lua:8) | ",
		},
		"an error in on_invite": {
			whole(toPBX, "", ""), whole("local x = nil; return x.y", "", ""),
			"on_invite: fails at main.lua:3", "route pbx (main.lua:3) | an error: attempt to index a non-table object(nil) with key 'y' (main.lua:3) | ",
		},
		"an endless loop": {
			whole(toPBX, "", ""), whole(toPBX, "while true do end", ""),
			"on_branch: fails at main.lua:6", "the default | an error: stopped after 1000000 instructions (main.lua:6) | ",
		},
		"a look-up": {
			whole(toPBX, "", ""), whole("b2b.redis('cache'):get('x') "+toPBX, "", ""),
			"on_invite: would look up redis cache get", "route pbx (main.lua:3) | unknown: would look up redis cache get x | ",
		},
	}
}

func TestAShadowIsComparedAndNotObeyed(t *testing.T) {
	for name, one := range comparisons() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				alone := staged(t)
				defer alone.Close()
				alone.save(t, one.live)
				wantReq, wantRes := alone.once()
				s := shadowOf(t, one.live, one.shadow)
				defer s.Close()
				var req, res *message.Message
				for range 5 {
					req, res = s.once()
				}
				if req.String() != wantReq.String() || res.String() != wantRes.String() {
					t.Errorf("the call is another:\n%s\n%s", req, res)
				}
				told := s.told()
				if told.Calls != 5 || len(told.Groups) != 1 || told.Groups[0].Count != 5 || len(told.Groups[0].Examples) != maxExamples {
					t.Fatalf("%+v", told)
				}
				g := told.Groups[0]
				e := g.Examples[0]
				if got := e.Live + " | " + e.Shadow + " | " + strings.Join(e.Lines, ", "); g.What != one.what || got != one.example || e.Call != "call-1" {
					t.Errorf("%s\n%s\nwant %s\n%s", g.What, got, one.what, one.example)
				}
				if s.Status().Generations[0].Errors != 0 || strings.Contains(s.log.String(), "hook failed") || s.count("on_branch") != 0 {
					t.Error("what the shadow does is told as the live version's")
				}
			})
		})
	}
}

// asksAll is a script whose decision holds all that it was told.
const asksAll = `local n = b2b.store:incr("n")
if not b2b.limit.rate("r", 1, 3) then return b2b.reject(503) end
if not b2b.limit.concurrent("c", 1) then return b2b.reject(486) end
b2b.metric.counter("asked"):inc()
local v, why = b2b.redis("cache"):get("x")
local at = b2b.time.now() .. os.time() .. call.elapsed -- and what follows is later
b2b.sleep(1)
return b2b.route { to = { trunk = "pbx", user = n .. why .. math.random(1000000) .. b2b.random.int(1, 1000000) .. b2b.uuid() .. at .. b2b.trunk.stats("pbx").calls } }`

func withLibraries(t *testing.T, change func(*lib.Config)) func(*Config) {
	return func(c *Config) {
		cfg := lib.Config{ReasonPhrase: message.ReasonPhrase, Redis: map[string]lib.Redis{"cache": lib.Nowhere{}}}
		change(&cfg)
		env, err := lib.NewEnv(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(env.Close)
		c.Lib = env
	}
}

func TestAShadowGetsTheAnswersOfTheLiveCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := store.NewMemory(store.Limits{})
		s := shadowOf(t, whole(asksAll, "req.h['X-N'] = b2b.store:incr('n')", ""), whole(asksAll, "req.h['X-N'] = b2b.store:incr('n')", "-- another"),
			withLibraries(t, func(c *lib.Config) { c.Store = kept }))
		defer s.Close()
		for range 5 {
			s.once()
		}
		if told := s.told(); told.Calls != 5 || told.Same != 10 || len(told.Groups) != 0 {
			t.Errorf("%+v", told)
		}
		if n, _, _ := kept.Get("n"); n != "10" {
			t.Errorf("counted %s", n)
		}
	})
}

func TestAShadowChangesNothingOutsideOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := store.NewMemory(store.Limits{})
		if err := kept.Set("n", "5", 0); err != nil {
			t.Fatal(err)
		}
		asked := &asked{}
		var cfg *Config
		s := shadowOf(t, whole(toPBX, "", "function M.on_failure() end"), whole(`
b2b.store:set("k", 1) b2b.store:delete("n")
call:note("no %d", b2b.store:get("k")) call:hangup()
b2b.limit.concurrent("c", 1)
b2b.metric.counter("asked"):inc()
b2b.log.error("nobody reads that")
print("nor that")
call.data.x = 1
`+toPBX, "leg.trunk:penalize(3600)", `function M.on_load(ctx)
	ctx:every(1, function()
		b2b.redis('cache'):set('k', 'v')
		if b2b.redis('cache'):get('k') ~= 'v' then b2b.store:set('read', 0) end
	end)
end
function M.on_end() b2b.store:set('end', 1) end`),
			func(c *Config) { cfg = c },
			withLibraries(t, func(c *lib.Config) {
				c.Store = kept
				c.Redis["cache"] = asked
			}))
		defer s.Close()
		for range 3 {
			s.once()
		}
		s.pass(time.Minute)
		if told := s.told(); told.Same != 3*3 || len(told.Groups) != 0 {
			t.Errorf("%+v", told)
		}
		if n, _, _ := kept.Get("n"); n != "5" || kept.Len() != 1 || !asked.only("GET") || !cfg.States.Of("pbx").Up() || cfg.Lib.Holding() != 0 {
			t.Errorf("n is %s, %d keys, looked up %v, up %v", n, kept.Len(), asked.words, cfg.States.Of("pbx").Up())
		}
		if strings.Contains(s.log.String(), "that") {
			t.Error(s.log)
		}
	})
}

// asked is a server that notes commands.
type asked struct {
	mu    sync.Mutex // guards words
	words []any
}

func (a *asked) Do(_ context.Context, words ...any) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.words = append(a.words, words[0])
	return "v", nil
}

// only tells whether it was asked that, and nothing else.
func (a *asked) only(word string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.words) > 0 && !slices.ContainsFunc(a.words, func(one any) bool { return one != word })
}

func TestAShadowsOwnLimitsEndWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shadowOf(t, whole(toPBX, "", ""), whole("if not b2b.limit.concurrent('c', 1) then return b2b.reject(486) end "+toPBX, "return b2b.skip()", ""))
		defer s.Close()
		for range 3 { // parted at the hook after
			s.once()
		}
		if told := s.told(); len(told.Groups) != 1 || told.Groups[0].What != "on_branch: the default → skip" || len(s.trial.Load().shadow.calls) != 0 {
			t.Errorf("%+v", told)
		}
	})
}

func TestACallThatIsGivenUpByItsCallerIsNotCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shadowOf(t, whole("b2b.sleep(3) "+toPBX, "", ""), whole("b2b.sleep(2) "+toPBX, "", ""))
		defer s.Close()
		c := s.Router(&begun{opening: b2bua.Opening{ID: "x", Call: true}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Invite(ctx, b2bua.View{ID: "x", Request: invite(t)})
		c.Close()
		synctest.Wait()
		if told := s.told(); told.Calls != 0 || len(told.Groups) != 0 {
			t.Errorf("%+v", told)
		}
	})
}

func TestAShadowThatIsBehindLosesCallsAndHoldsUpNone(t *testing.T) {
	s := &shadow{jobs: make(chan job, maxJobs), closed: make(chan struct{}, 1), calls: map[*followed]*shadowing{}} // nobody takes the jobs
	s.ctx, s.stop = context.WithCancel(t.Context())
	early, heavy := &followed{of: s}, &followed{of: s}
	heavy.post(job{before: &message.Message{Body: make([]byte, maxQueued+1)}})
	for range maxJobs + 5 {
		early.post(job{})
	}
	late := &router{}
	if s.follow(late) != b2bua.Router(late) {
		t.Error("it takes calls that it has no time for")
	}
	if told := s.told(); told.Skipped != 3 || len(s.jobs) != maxJobs || s.queued.Load() != 0 {
		t.Errorf("%+v, %d bytes", told, s.queued.Load())
	}
	s.calls[early] = &shadowing{of: early, router: &router{}}
	early.close()
	if s.bury(); len(s.calls) != 0 {
		t.Error("the call is never over")
	}
}

func TestACallThatAsksTooMuchIsNotFollowed(t *testing.T) {
	s := &shadow{jobs: make(chan job, 1)}
	for _, one := range []func(f *followed){
		func(f *followed) {
			f.within("on_invite").Keep("http GET x", lib.Answer{Body: make([]byte, maxHeard)}, nil)
		},
		func(f *followed) {
			dice := f.within("on_invite").Draws(rand.NewPCG(1, 2))
			for range maxAnswers + 1 {
				dice.Uint64()
			}
		},
	} {
		f := &followed{of: s}
		one(f)
		if !f.over.Load() {
			t.Error("it is followed")
		}
	}
	if told := s.told(); told.Skipped != 2 {
		t.Errorf("%+v", told)
	}
}

func TestAShadowEnds(t *testing.T) {
	for name, one := range map[string]struct {
		ends func(s *stage) error
		why  string
	}{
		"by itself":   {func(s *stage) error { s.pass(time.Hour + time.Second); return nil }, "it has run for 1h0m0s"},
		"on demand":   {func(s *stage) error { return s.Rollback("a test") }, "asked for by a test"},
		"by a reload": {func(s *stage) error { s.save(s.t, routes+" -- saved"); return nil }, "has changed meanwhile"},
		"at shutdown": {func(s *stage) error { s.Close(); return nil }, "shutdown"},
		"by a bench": {func(s *stage) error {
			s.bench(s.live, Bench{Errors: 1, Window: time.Minute})
			return nil
		}, "the live version was benched meanwhile"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := shadowOf(t, routes+" --", routes+" -- next")
				defer s.Close()
				held := s.Router(&begun{opening: b2bua.Opening{ID: "held", Call: true}})
				held.Invite(t.Context(), b2bua.View{ID: "held", Request: invite(t)})
				synctest.Wait()
				shadow := s.trial.Load().shadow
				if err := one.ends(s); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n := s.told().Calls; n != 1 {
					t.Errorf("%d calls compared", n)
				}
				if st := s.Status(); st.Trial.Result != string(ChangeCompared) || !strings.Contains(st.Trial.Why, one.why) || !strings.Contains(strings.Join(s.changes, "\n"), one.why) {
					t.Fatalf("%+v %q", st.Trial, s.changes)
				}
				if d := held.Invite(t.Context(), b2bua.View{ID: "held", Request: invite(t)}); d.Decision == nil { // nobody listens any more
					t.Error("the call is another")
				}
				held.Close()
				if shadow.gen != nil || shadow.calls != nil || len(shadow.jobs)+len(shadow.gone) > 0 {
					t.Error("the shadow keeps what it had")
				}
				if err := s.Promote("a test"); !errors.Is(err, ErrNoTrial) {
					t.Error(err)
				}
			})
		})
	}
}

func TestAPromotedShadowIsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		main := whole("return b2b.reject(486)", "", "function M.on_load() b2b.store:set('loaded', 1) end")
		kept := store.NewMemory(store.Limits{})
		s := shadowOf(t, whole(toPBX, "", ""), main, withLibraries(t, func(c *lib.Config) { c.Store = kept }))
		defer s.Close()
		if kept.Len() != 0 {
			t.Error("the shadow's on_load was seen")
		}
		if err := s.Promote("a test"); err != nil {
			t.Fatal(err)
		}
		if d := s.place(t, 1); fmt.Sprint(d) != fmt.Sprint(b2bua.Reject{Code: 486}) {
			t.Errorf("%#v", d)
		}
		if st := s.Status(); len(st.Generations) != 1 || st.Generations[0].Begun != 1 || st.Trial.Result != string(ChangePromoted) || !slices.Equal(s.kept, []string{main}) || kept.Len() != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestAShadowThatCannotWorkIsNotBegun(t *testing.T) {
	tests := 0
	s := staged(t, func(c *Config) {
		c.Test = func(context.Context, *Snapshot) error {
			tests++
			return errors.New("x_test.lua:1: it rings nobody")
		}
	})
	for want, files := range map[string]fstest.MapFS{
		"main.lua:1":      {"main.lua": {Data: []byte("return {on_invit = 1}")}, "x_test.lua": {Data: []byte("return 1")}},
		"it rings nobody": {"main.lua": {Data: []byte(routes)}, "x_test.lua": {Data: []byte("return 1")}},
		"no luck":         {"main.lua": {Data: []byte("return {on_load = function() error('no luck') end}")}},
	} {
		if err := s.Deploy(t.Context(), Plan{Files: files, Shadow: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := s.Deploy(t.Context(), Plan{Files: folderOf(routes), Shadow: true, Share: 0.5}); err == nil {
		t.Error("a shadow and a canary in one")
	}
	if s.trial.Load() != nil || tests != 1 || len(s.changes) > 0 {
		t.Errorf("%d tests, %q", tests, s.changes)
	}
}

func TestWhatShadowsWouldLookUpIsGroupedByServer(t *testing.T) {
	for key, want := range map[string]string{
		"http GET https://api.example/n/491?token=x": "http GET https://api.example",
		"redis cache get 491":                        "redis cache get",
		"sql routes select a from b [491]":           "sql routes",
		"dns srv _sip._udp.carrier.example":          "dns srv",
		"store get 491":                              "store get",
		"http":                                       "http",
	} {
		if got := server(key); got != want {
			t.Errorf("%s: %s", key, got)
		}
	}
}

func TestWhatACUCMScriptBlocksIsNotCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocks := `M = {} function M.inbound_180_INVITE(msg) msg:block() end return M`
		r := cisco(t, "return {}", blocks)
		defer r.Close()
		next := fstest.MapFS{"main.lua": {Data: []byte("return {on_progress = function() end}")}, "carrier.lua": {Data: []byte("return {}")}, "pbx.lua": {Data: []byte(blocks)}}
		if err := r.Deploy(t.Context(), Plan{Files: next, Shadow: true}); err != nil {
			t.Fatal(err)
		}
		c := r.Router(&begun{opening: b2bua.Opening{ID: "x", Call: true}})
		defer c.Close()
		v, leg := b2bua.View{ID: "x", Request: invite(t)}, b2bua.Leg{Role: b2bua.RoleB, Index: 1, Trunk: "pbx"}
		for code, want := range map[int]b2bua.Decision{180: b2bua.Suppress{}, 183: nil} {
			c.Inbound(leg, answerTo(t, code))
			if d := c.Progress(v, leg, answerTo(t, code)); d.Decision != want {
				t.Errorf("%d: %+v", code, d)
			}
		}
		synctest.Wait()
		if told := r.Status().Trial.Shadow; told.Same != 1 || len(told.Groups) != 0 {
			t.Errorf("%+v", told)
		}
	})
}

func TestACallThatIsGivenUpKeepsNothing(t *testing.T) {
	f := &followed{of: &shadow{}}
	for range maxAnswers + 1 {
		f.keep("on_invite get x", answered{value: "y"})
	}
	if len(f.answers) > 0 || f.of.tally.Skipped != 1 {
		t.Errorf("%d questions are kept, %d calls skipped", len(f.answers), f.of.tally.Skipped)
	}
}
