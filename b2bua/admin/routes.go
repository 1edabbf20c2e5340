package admin

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/trunk"
)

//go:embed openapi.json
var openAPI []byte

// reloadLimit bounds a reload, the scripts' own tests included.
const reloadLimit = 60 * time.Second

// api answers.
type api struct {
	Config
	log     *slog.Logger
	guesses guesses
	console *console
	leaving chan struct{} // closed when the server goes
}

// route is one method on one path.
type route struct {
	method, path string
	open         bool // answers without a token
	handle       http.HandlerFunc
}

// routes is all there is; openapi.json says the same, which a test checks.
func (a *api) routes() []route {
	return []route{
		{"GET", "/api/v1/calls", false, a.calls},
		{"GET", "/api/v1/calls/{id}", false, a.call},
		{"DELETE", "/api/v1/calls/{id}", false, a.hangUp},
		{"GET", "/api/v1/calls/{id}/ladder", false, a.ladder},
		{"GET", "/api/v1/trace", false, a.trace},
		{"GET", "/api/v1/trunks", false, a.trunks},
		{"POST", "/api/v1/trunks/{name}/enable", false, a.enable},
		{"POST", "/api/v1/trunks/{name}/disable", false, a.disable},
		{"GET", "/api/v1/bans", false, a.bans},
		{"DELETE", "/api/v1/bans/{source}", false, a.unban},
		{"GET", "/api/v1/script", false, a.script},
		{"POST", "/api/v1/script/reload", false, a.reload},
		{"GET", deployPath, false, a.script},
		{"POST", deployPath, false, a.deploy},
		{"POST", "/api/v1/script/promote", false, a.promote},
		{"POST", "/api/v1/script/rollback", false, a.rollback},
		{"POST", "/api/v1/drain", false, a.drain},
		{"GET", "/api/v1/events", false, a.events},
		{"GET", "/api/openapi.json", false, a.document},
		{"GET", "/metrics", false, a.Metrics.ServeHTTP},
		{"GET", "/console", true, a.console.ServeHTTP},
		{"GET", "/healthz", true, a.healthy},
		{"GET", "/readyz", true, a.ready},
	}
}

// Handler is the API without a socket.
func Handler(c Config) (http.Handler, error) {
	a, err := newAPI(c)
	if err != nil {
		return nil, err
	}
	return a.handler(), nil
}

func newAPI(c Config) (*api, error) {
	if c.Engine == nil || c.Scripts == nil || c.History == nil || c.Metrics == nil || c.Events == nil || c.Drain == nil {
		return nil, errors.New("admin: engine, scripts, history, metrics, events and drain are required")
	}
	page, err := newConsole()
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return &api{Config: c, log: logOf(c), console: page, leaving: make(chan struct{})}, nil
}

func (a *api) handler() http.Handler {
	byPath := map[string][]route{}
	for _, r := range a.routes() {
		byPath[r.path] = append(byPath[r.path], r)
	}
	mux := http.NewServeMux()
	for path, routes := range byPath {
		mux.Handle(path, a.choose(routes))
	}
	mux.Handle("/{$}", http.RedirectHandler("/console", http.StatusFound))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "there is nothing at "+r.URL.Path)
	})
	return a.guard(a.survive(mux))
}

// survive keeps a fault of ours inside the request, and says that there was one.
// What is half answered already breaks off.
func (a *api) survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			why := recover()
			if why == nil {
				return
			}
			if why != http.ErrAbortHandler {
				a.log.Error("a request of the admin API failed", "request", r.Method+" "+r.URL.Path, "err", fmt.Sprint(why), "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

// choose picks the route of a path by method and asks for the token.
func (a *api) choose(routes []route) http.Handler {
	var allow []string
	for _, r := range routes {
		allow = append(allow, r.method)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		i := slices.IndexFunc(routes, func(one route) bool { return one.method == method })
		switch {
		case i < 0:
			w.Header().Set("Allow", strings.Join(allow, ", "))
			refuse(w, http.StatusMethodNotAllowed, r.Method+" does nothing here")
		case !routes[i].open && !a.lets(w, r):
		default:
			routes[i].handle(w, r)
		}
	})
}

func (a *api) calls(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, callList(a.Engine.Calls()))
}

// call answers a call in progress, or the record of one that is over.
func (a *api) call(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if record, ok := a.History.Record(id); ok {
		answer(w, http.StatusOK, Story{Record: record})
		return
	}
	if state, ok := a.Engine.Call(id); ok {
		call := callOf(state)
		answer(w, http.StatusOK, Story{Call: &call})
		return
	}
	refuse(w, http.StatusNotFound, "no call "+strconv.Quote(id)+" is in progress or remembered")
}

func (a *api) hangUp(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !a.Engine.HangUp(id, "admin") {
		refuse(w, http.StatusNotFound, "no call "+strconv.Quote(id)+" is in progress")
		return
	}
	a.log.Info("call hung up", "call", id, "by", "admin", "source", r.RemoteAddr)
	w.WriteHeader(http.StatusAccepted)
}

// trunks lists all of them, or those that a source fits.
func (a *api) trunks(w http.ResponseWriter, r *http.Request) {
	list := trunkList(a.Engine.Trunks().Stats())
	if text := r.URL.Query().Get("match"); text != "" {
		if at, err := netip.ParseAddrPort(text); err == nil { // as logs write a source
			text = at.Addr().String()
		}
		if _, prefix := trunk.ParsePrefix(text); strings.ContainsAny(text, "/ ") && (prefix || trunk.IsHost(text)) {
			refuse(w, http.StatusBadRequest, "match is an IP address, user:NAME, listener:NAME or a name in a certificate")
			return
		}
		list = list.fitting(a.Engine.Matches(text))
	}
	answer(w, http.StatusOK, list)
}

func (a *api) enable(w http.ResponseWriter, r *http.Request) { a.turn(w, r, true) }

func (a *api) disable(w http.ResponseWriter, r *http.Request) { a.turn(w, r, false) }

// turn lets a trunk take calls or not, and answers what has become of it.
func (a *api) turn(w http.ResponseWriter, r *http.Request, on bool) {
	name := r.PathValue("name")
	if !a.Engine.EnableTrunk(name, on) {
		refuse(w, http.StatusNotFound, "there is no trunk "+strconv.Quote(name))
		return
	}
	list := trunkList(a.Engine.Trunks().Stats())
	i := slices.IndexFunc(list.Trunks, func(t Trunk) bool { return t.Name == name })
	if i < 0 {
		refuse(w, http.StatusNotFound, "there is no trunk "+strconv.Quote(name)+" any more")
		return
	}
	answer(w, http.StatusOK, list.Trunks[i])
}

func (a *api) script(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, a.Scripts.Status())
}

func (a *api) reload(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), reloadLimit)
	defer cancel()
	a.log.Info("reload asked for", "by", "admin", "source", r.RemoteAddr)
	if err := a.Scripts.Reload(ctx); err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	answer(w, http.StatusOK, a.Scripts.Status())
}

func (a *api) drain(w http.ResponseWriter, r *http.Request) {
	a.log.Info("drain asked for", "by", "admin", "source", r.RemoteAddr)
	a.Drain()
	answer(w, http.StatusAccepted, Health{"draining"})
}

func (a *api) document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI) // the peer has gone if this fails
}

func (a *api) healthy(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, Health{"ok"})
}

func (a *api) ready(w http.ResponseWriter, _ *http.Request) {
	if a.Engine.Draining() {
		refuse(w, http.StatusServiceUnavailable, "draining: no new calls are taken")
		return
	}
	answer(w, http.StatusOK, Health{"ready"})
}
