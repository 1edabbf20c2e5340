package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/door"
	"legwork/b2bua/trunk"
)

// double stands in for everything behind the API.
type double struct {
	states   []b2bua.State
	records  map[string]*b2bua.Record
	hungUp   []string
	trunkSet *trunk.States
	table    *trunk.Table
	bans     []door.Ban
	drained  int
	reloads  int
	deployed Deployment
	failure  error
	traced   TraceFilter
	told     int
	ended    int
	wanted   Ladder // as it was asked for last
}

func (d *double) Calls() []b2bua.State { return slices.Clone(d.states) }

func (d *double) Call(id string) (b2bua.State, bool) {
	for _, s := range d.states {
		if s.ID == id {
			return s, true
		}
	}
	return b2bua.State{}, false
}

func (d *double) HangUp(id, by string) bool {
	d.hungUp = append(d.hungUp, id+" by "+by)
	_, ok := d.Call(id)
	return ok
}

func (d *double) Trunks() *trunk.States { return d.trunkSet }

func (d *double) Matches(source string) []trunk.Hit { return d.table.Fits(source) }
func (d *double) EnableTrunk(name string, on bool) bool {
	return slices.ContainsFunc(d.trunkSet.Stats(), func(s trunk.Stats) bool { return s.Name == name }) && (d.trunkSet.Of(name).Enable(on) || true)
}

func (d *double) Bans() []door.Ban { return d.bans }

func (d *double) Unban(source netip.Addr, _ string) bool {
	n := len(d.bans)
	d.bans = slices.DeleteFunc(d.bans, func(b door.Ban) bool { return b.Source.Contains(source) })
	return len(d.bans) < n
}

func (d *double) Draining() bool { return d.drained > 0 }
func (d *double) Status() any {
	return map[string]any{"name": "main.lua@1a2b3c4d", "reloads": d.reloads}
}

func (d *double) Reload(context.Context) error {
	d.reloads++
	return d.failure
}

func (d *double) Deploy(_ context.Context, one Deployment) error {
	d.deployed = one
	return d.failure
}

func (d *double) Promote() error  { return d.failure }
func (d *double) Rollback() error { return d.failure }

func (d *double) Record(id string) (*b2bua.Record, bool) {
	r, ok := d.records[id]
	return r, ok
}

func (d *double) Ladder(id string, want Ladder) ([]byte, bool, error) {
	d.wanted = want
	_, ok := d.records[id]
	return []byte("│──── INVITE ────▶│\n"), ok, nil
}

var started = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func behind(t *testing.T) *double {
	t.Helper()
	table, err := trunk.NewTable([]trunk.Trunk{{Name: "pbx", Match: []string{"192.0.2.0/24"}, Limits: trunk.Limits{Calls: 5, CPS: 2}, Health: &trunk.Health{}, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.3"}}}, {Name: "carrier", Match: []string{"192.0.2.7"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &double{
		trunkSet: trunk.NewStates(),
		states: []b2bua.State{
			{ID: "young", Phase: "routing", Started: started.Add(time.Second)},
			{ID: "old", Phase: "talking", From: "sip:alice@a.example", To: "sip:bob@b.example", Started: started, Answered: started, Legs: []b2bua.Leg{
				{Local: "192.0.2.1:5060", Remote: "192.0.2.2:5060"},
				{Role: b2bua.RoleB, Index: 1, Trunk: "pbx", Target: "sip:bob@192.0.2.3", Rang: true},
			}},
		},
		records: map[string]*b2bua.Record{"over": {ID: "over", Code: 486, HungUpBy: "callee"}},
	}
	d.trunkSet.Follow(table)
	d.table = table
	return d
}

func serve(t *testing.T, d *double, token string) http.Handler {
	t.Helper()
	h, err := Handler(configOf(d, token))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func configOf(d *double, token string) Config {
	return Config{
		Engine: d, Scripts: d, History: d, Token: token, Events: NewFeed(), Drain: func() { d.drained++ }, Log: slog.New(slog.DiscardHandler),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "legwork_calls_active 2\n") }),
	}
}

func ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = "127.0.0.1:8060"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// get decodes a good answer.
func get[T any](t *testing.T, h http.Handler, method, path string, status int) T {
	t.Helper()
	var v T
	w := ask(h, method, path)
	if w.Code != status || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%s %s: %d %s: %s", method, path, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return v
}

// refused wants a problem document of that status.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int, detail string) {
	t.Helper()
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if w.Code != status || p.Status != status || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(p.Detail, detail) {
		t.Errorf("got %d %s: %s, want %d with %q", w.Code, w.Header().Get("Content-Type"), w.Body, status, detail)
	}
}

func TestCallsAreListedOldestFirst(t *testing.T) {
	list := get[CallList](t, serve(t, behind(t), ""), "GET", "/api/v1/calls", 200)
	if len(list.Calls) != 2 || list.Calls[0].ID != "old" || list.Calls[1].Phase != "routing" {
		t.Fatalf("got %+v", list)
	}
	legs := list.Calls[0].Legs
	if len(legs) != 2 || legs[0].Role != "a" || legs[1].Role != "b" || legs[1].Trunk != "pbx" || !legs[1].Rang {
		t.Errorf("got %+v", legs)
	}
}

func TestNoCallsAreAnEmptyList(t *testing.T) {
	d := behind(t)
	d.states = nil
	if got := strings.TrimSpace(ask(serve(t, d, ""), "GET", "/api/v1/calls").Body.String()); got != `{"calls":[]}` {
		t.Error("got", got)
	}
}

func TestACallIsFoundWhileItRunsAndAfterwards(t *testing.T) {
	h := serve(t, behind(t), "")
	if got := get[Story](t, h, "GET", "/api/v1/calls/old", 200); got.Call == nil || got.Call.To != "sip:bob@b.example" || got.Record != nil {
		t.Errorf("got %+v", got)
	}
	if got := get[Story](t, h, "GET", "/api/v1/calls/over", 200); got.Record == nil || got.Record.HungUpBy != "callee" || got.Call != nil {
		t.Errorf("got %+v", got)
	}
	refused(t, ask(h, "GET", "/api/v1/calls/none"), 404, `no call "none"`)
}

func TestAnOperatorHangsUp(t *testing.T) {
	d := behind(t)
	h := serve(t, d, "")
	if w := ask(h, "DELETE", "/api/v1/calls/old"); w.Code != 202 || w.Body.Len() != 0 {
		t.Error("got", w.Code, w.Body)
	}
	refused(t, ask(h, "DELETE", "/api/v1/calls/over"), 404, `no call "over"`)
	if !slices.Equal(d.hungUp, []string{"old by admin", "over by admin"}) {
		t.Error("got", d.hungUp)
	}
}

func TestTrunksAreListedWithTheirCounters(t *testing.T) {
	d := behind(t)
	pbx := d.trunkSet.Of("pbx")
	_ = pbx.Admit()
	pbx.Attempted()
	pbx.Failed()
	d.trunkSet.Of("carrier").Penalize(time.Now().Add(time.Hour))
	d.trunkSet.Of("carrier").SetRegistration(&trunk.Registration{AOR: "sip:a@b.example", Code: 403, Reason: "Forbidden", Failures: 2})
	list := get[TrunkList](t, serve(t, d, ""), "GET", "/api/v1/trunks", 200)
	alive := []Target{{URI: "sip:192.0.2.3", Up: true}}
	if want := (Trunk{Targets: alive, Name: "pbx", Up: true, Enabled: true, Calls: 1, MaxCalls: 5, MaxCPS: 2, Attempts: 1, Failed: 1}); len(list.Trunks) != 2 || !reflect.DeepEqual(list.Trunks[1], want) {
		t.Fatalf("got %+v", list)
	}
	want := Registration{AOR: "sip:a@b.example", Code: 403, Reason: "Forbidden", Failures: 2}
	if c := list.Trunks[0]; c.Up || c.Until.IsZero() || c.Registration == nil || *c.Registration != want {
		t.Errorf("got %+v", c)
	}
}

func TestTheTrunksOfASourceAreListedWithTheOneThatDecidesFirst(t *testing.T) {
	h := serve(t, behind(t), "")
	list := get[TrunkList](t, h, "GET", "/api/v1/trunks?match=192.0.2.7", 200)
	if got := list.Trunks; len(got) != 2 || got[0].Name != "carrier" || got[0].Match != "192.0.2.7" || got[1].Name != "pbx" || got[1].Match != "192.0.2.0/24" {
		t.Errorf("got %+v", got)
	}
	for source, name := range map[string]string{"192.0.2.7:5060": "carrier", "192.0.2.9:40000": "pbx"} {
		if list := get[TrunkList](t, h, "GET", "/api/v1/trunks?match="+source, 200); len(list.Trunks) == 0 || list.Trunks[0].Name != name {
			t.Errorf("%s belongs to %+v", source, list)
		}
	}
	if list := get[TrunkList](t, h, "GET", "/api/v1/trunks?match=[2001:db8::1]", 200); len(list.Trunks) != 0 {
		t.Errorf("a stranger belongs to %+v", list)
	}
	refused(t, ask(h, "GET", "/api/v1/trunks?match=192.0.2.0/24"), 400, "match is an IP address, user:NAME, listener:NAME or a name in a certificate")
}

func TestATrunkIsDisabledAndEnabled(t *testing.T) {
	d := behind(t)
	h := serve(t, d, "")
	for _, step := range []struct {
		verb string
		on   bool
	}{{"disable", false}, {"disable", false}, {"enable", true}} {
		got := get[Trunk](t, h, "POST", "/api/v1/trunks/pbx/"+step.verb, 200)
		if got.Name != "pbx" || got.Enabled != step.on || got.Up != step.on {
			t.Errorf("%s: %+v", step.verb, got)
		}
	}
	refused(t, ask(h, "POST", "/api/v1/trunks/nobody/disable"), 404, "no trunk")
}

func TestAReloadAnswersWhatRunsOrWhatIsWrong(t *testing.T) {
	d := behind(t)
	h := serve(t, d, "")
	if got := get[map[string]any](t, h, "POST", "/api/v1/script/reload", 200); got["reloads"] != 1.0 {
		t.Error("got", got)
	}
	d.failure = errors.New("main.lua:3: unexpected symbol near 'end'")
	refused(t, ask(h, "POST", "/api/v1/script/reload"), 422, "main.lua:3")
	if got := get[map[string]any](t, h, "GET", "/api/v1/script", 200); got["name"] != "main.lua@1a2b3c4d" {
		t.Error("got", got)
	}
}

func TestADrainingEngineIsAliveButNotReady(t *testing.T) {
	d := behind(t)
	h := serve(t, d, "")
	if got := get[Health](t, h, "GET", "/readyz", 200); got.Status != "ready" {
		t.Error("got", got)
	}
	if got := get[Health](t, h, "POST", "/api/v1/drain", 202); got.Status != "draining" || d.drained != 1 {
		t.Error("got", got, d.drained)
	}
	refused(t, ask(h, "GET", "/readyz"), 503, "draining")
	if got := get[Health](t, h, "GET", "/healthz", 200); got.Status != "ok" {
		t.Error("got", got)
	}
}

func TestMetricsAreServed(t *testing.T) {
	if w := ask(serve(t, behind(t), ""), "GET", "/metrics"); w.Code != 200 || !strings.Contains(w.Body.String(), "legwork_calls_active 2") {
		t.Error("got", w.Code, w.Body)
	}
}

func TestWrongPathsAndMethodsAreProblems(t *testing.T) {
	h := serve(t, behind(t), "")
	refused(t, ask(h, "GET", "/api/v1/nothing"), 404, "/api/v1/nothing")
	if w := ask(h, "GET", "/"); w.Code != 302 || w.Header().Get("Location") != "/console" {
		t.Error("got", w.Code, w.Header())
	}
	w := ask(h, "PUT", "/api/v1/calls/old")
	refused(t, w, 405, "PUT")
	if got := w.Header().Get("Allow"); got != "GET, DELETE" {
		t.Error("allowed", got)
	}
	refused(t, ask(h, "GET", "/api/v1/drain"), 405, "GET")
	if w := ask(h, "HEAD", "/api/v1/calls"); w.Code != 200 {
		t.Error("HEAD gets", w.Code)
	}
}

func TestATokenIsWantedOnEachRouteButTheProbes(t *testing.T) {
	synctest.Test(t, everyRouteWantsAToken)
}

func everyRouteWantsAToken(t *testing.T) {
	d := behind(t)
	h := serve(t, d, "s3cret")
	a := &api{Config: Config{Metrics: http.NotFoundHandler()}, console: &console{}}
	for _, r := range a.routes() {
		path := strings.ReplaceAll(r.path, "{id}", "old")
		for _, token := range []string{"", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3crett", "Basic s3cret", "s3cret"} {
			w := ask(h, r.method, path, "Authorization", token)
			if r.open {
				if w.Code != 200 {
					t.Errorf("%s wants a token: %d", r.path, w.Code)
				}
				continue
			}
			refused(t, w, 401, "token")
			if w.Header().Get("WWW-Authenticate") == "" {
				t.Error("401 without a challenge")
			}
		}
	}
	if d.drained+d.reloads+len(d.hungUp) != 0 {
		t.Error("a stranger has acted")
	}
	for _, token := range []string{"Bearer s3cret", "bearer s3cret"} {
		if w := ask(h, "GET", "/api/v1/calls", "Authorization", token, "Host", "legwork.example"); w.Code != 200 {
			t.Errorf("%s: %d %s", token, w.Code, w.Body)
		}
	}
}

func TestOtherSitesCannotActThroughABrowser(t *testing.T) {
	d := behind(t)
	h := serve(t, d, "")
	refused(t, ask(h, "POST", "/api/v1/drain", "Origin", "https://evil.example"), 403, "other web sites")
	refused(t, ask(h, "DELETE", "/api/v1/calls/old", "Sec-Fetch-Site", "cross-site"), 403, "other web sites")
	refused(t, ask(h, "GET", "/api/v1/calls", "Host", "evil.example:8060"), 403, "not to a name")
	if d.drained != 0 || len(d.hungUp) != 0 {
		t.Error("another site has acted")
	}
	for _, host := range []string{"localhost:8060", "[::1]:8060", "127.0.0.1", "LOCALHOST"} {
		if w := ask(h, "GET", "/api/v1/calls", "Host", host); w.Code != 200 {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
}

func TestALargeBodyIsRefused(t *testing.T) {
	r := httptest.NewRequest("POST", "/api/v1/script/reload", strings.NewReader(strings.Repeat("x", maxBody+1)))
	r.Host = "localhost"
	w := httptest.NewRecorder()
	serve(t, behind(t), "").ServeHTTP(w, r)
	refused(t, w, 413, "too large")
}

func TestAnAnswerWithoutJSONIsAnError(t *testing.T) {
	d := behind(t)
	d.records["over"].Fields = map[string]any{"n": math.NaN()}
	refused(t, ask(serve(t, d, ""), "GET", "/api/v1/calls/over"), 500, "JSON")
}

func TestAFaultEndsTheRequestAloneAndIsLogged(t *testing.T) {
	var log strings.Builder
	c := configOf(&double{}, "")
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no such metric") })
	h, err := Handler(c)
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if why := recover(); why != http.ErrAbortHandler {
				t.Errorf("net/http hears of %v", why)
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://127.0.0.1/metrics", nil))
	}()
	for _, want := range []string{"level=ERROR", `request="GET /metrics"`, `err="no such metric"`, "admin_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not have %s: %s", want, log.String())
		}
	}
}

func TestHalfAConfigurationIsRefused(t *testing.T) {
	d := behind(t)
	if _, err := Handler(Config{Engine: d, Scripts: d, History: d}); err == nil {
		t.Error("no metrics and no drain, yet it serves")
	}
}

func TestTheAPIServesOnASocket(t *testing.T) {
	d := behind(t)
	c := Config{Engine: d, Scripts: d, History: d, Drain: func() {}, Metrics: http.NotFoundHandler(), Events: NewFeed(), Log: slog.New(slog.DiscardHandler)}
	s, err := Listen("127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(s.Addr().String(), c); err == nil {
		t.Error("two on one address")
	}
	res, err := http.Get(s.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != 200 {
		t.Error("got", res.StatusCode, err)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.URL() + "/healthz"); err == nil {
		t.Error("answers after Close")
	}
}
