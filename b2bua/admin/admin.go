// Package admin is the HTTP API over a running engine (contract/config.md,
// "The admin API"). It reads snapshots and acts through the small interfaces
// below; nothing here reaches into a call.
//
// It knows neither the configuration nor Lua. Start with Config and the table
// in routes.go; what happens is gathered in feed.go and streamed by events.go; answers have their shapes in shapes.go and, for people and
// clients, in openapi.json. Who may ask is in guard.go.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/door"
	"legwork/b2bua/trunk"
)

// Engine is what the API sees of the calls; *b2bua.Server is one.
type Engine interface {
	Calls() []b2bua.State
	Call(id string) (b2bua.State, bool)
	HangUp(id, by string) bool
	Trunks() *trunk.States
	EnableTrunk(name string, on bool) bool
	Matches(source string) []trunk.Hit
	Bans() []door.Ban
	Unban(source netip.Addr, by string) bool
	Draining() bool
}

// Scripts is what the API sees of the policy.
type Scripts interface {
	// Status is what runs now, as GET script answers it in JSON.
	Status() any
	// Reload loads the scripts again; the error names file and line.
	Reload(ctx context.Context) error
	// Deploy makes other scripts live, at once, or as a canary or shadow, that Promote or
	// Rollback then decide about; an error has changed nothing.
	Deploy(ctx context.Context, d Deployment) error
	Promote() error
	Rollback() error
}

// History knows calls that are over, as long as it can.
type History interface {
	Record(id string) (*b2bua.Record, bool)
	// Ladder shows a call, also one in progress; false: it is not remembered.
	Ladder(id string, want Ladder) ([]byte, bool, error)
	// Trace begins to keep the calls that match.
	Trace(f TraceFilter) (Trace, error)
}

// Config is what the API needs; all but Token and Log is required.
type Config struct {
	Engine  Engine
	Scripts Scripts
	History History
	Metrics http.Handler
	Events  *Feed  // what the engine and its surroundings tell; Close ends it
	Drain   func() // begins the orderly goodbye and returns at once
	Token   string // bearer token; "": none is asked for
	Log     *slog.Logger
}

// Server answers on one address.
type Server struct {
	listener net.Listener
	server   *http.Server
	ended    chan struct{}
	err      error // why serving ended; valid once ended is closed
}

// Listen opens the address and serves the API on it until Close.
func Listen(address string, c Config) (*Server, error) {
	a, err := newAPI(c)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	s := &Server{listener: listener, ended: make(chan struct{}), server: &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      reloadLimit + 10*time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logOf(c).Handler(), slog.LevelDebug),
	}}
	s.server.RegisterOnShutdown(sync.OnceFunc(func() { // streams would keep it waiting
		c.Events.Close()
		close(a.leaving)
	}))
	go s.serve()
	return s, nil
}

func (s *Server) serve() {
	defer close(s.ended)
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.err = err
	}
}

// Addr is the address in use, also when port 0 was asked for.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is where the API answers.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close lets requests under way end until ctx does.
func (s *Server) Close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	<-s.ended
	return errors.Join(err, s.err)
}

func logOf(c Config) *slog.Logger {
	if c.Log == nil {
		return slog.Default()
	}
	return c.Log
}
