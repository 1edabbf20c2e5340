// Package registrar is the registrar and the location service of RFC 3261
// section 10: it knows, for an address of record, where its user can be reached
// now.
//
// It reads a REGISTER and keeps bindings in a store, and has no socket and no
// goroutine. Which domains are served and who may register (section 10.3 steps 1
// to 4) is decided before it is asked. Nothing is cached: other processes may
// share the store.
//
// Start with Register here. request.go reads the REGISTER, update.go changes the
// bindings, binding.go is what is kept of one, uri.go says when two are the same.
package registrar

import (
	"errors"
	"fmt"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/store"
)

// Config is what a Registrar needs.
type Config struct {
	Store store.Store
	// Min, Default and Max bound how long a registration lasts, in whole
	// seconds. Min may be an hour at most: who asks for more can't be refused
	// (RFC 3261 section 10.3 step 7).
	Min, Default, Max time.Duration
	MaxContacts       int              // in one REGISTER; 0: 10
	MaxBindings       int              // of one address of record; 0: 10
	Now               func() time.Time // of the Date field; nil: time.Now
	// Clock says when bindings end, and is best one that goes on when the machine's
	// clock is set: by a jump ahead all would be over, and the phones not know it.
	// Nil: Now.
	Clock func() time.Time
}

// longest is what an Expires field can say (RFC 3261 section 20.19).
const longest = (1<<32 - 1) * time.Second

func (c *Config) check() error {
	switch {
	case c.Store == nil:
		return errors.New("no store")
	case c.Min < time.Second || c.Min > time.Hour:
		return fmt.Errorf("min is %v, want 1 s to 1 h", c.Min)
	case c.Default < c.Min || c.Max < c.Default || c.Max > longest:
		return fmt.Errorf("min %v, default %v and max %v are not in this order", c.Min, c.Default, c.Max)
	case c.Min%time.Second != 0 || c.Default%time.Second != 0 || c.Max%time.Second != 0:
		return errors.New("min, default and max want whole seconds")
	case c.MaxContacts < 0 || c.MaxBindings < 0:
		return errors.New("a limit is negative")
	}
	return nil
}

// Registrar may be used from any goroutine.
type Registrar struct{ config Config }

// New checks the configuration.
func New(c Config) (*Registrar, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	if c.MaxContacts == 0 {
		c.MaxContacts = 10
	}
	if c.MaxBindings == 0 {
		c.MaxBindings = 10
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Clock == nil {
		c.Clock = c.Now
	}
	return &Registrar{config: c}, nil
}

// Origin is where a REGISTER came from. It is kept with the bindings and not
// looked into.
type Origin struct {
	Flow      string // names the connection to whoever set it; UTF-8
	Source    string // "ip:port" of the packet
	Transport string
	// Lost tells which of the stored bindings lead nowhere any more; the REGISTER
	// removes them. It is asked from Register alone. Nil: none.
	Lost func(*Binding) bool
}

// Result is the answer to a REGISTER.
type Result struct {
	Code    int
	Reason  string
	Headers []message.Header // to add: Contact, Path, Date, Min-Expires
	Err     error            // behind a 500, for the log: ErrOutOfOrder or the store's
}

// Register does what an authenticated REGISTER asks for, all of it or nothing,
// and makes the answer: 200 with all bindings; 400, 403 (too many contacts) or
// 423; 500 when the REGISTER is older than a binding or the store fails.
//
// expires, unless 0, takes the place of the configured default and maximum, and
// of a larger minimum. Nobody gets more than was asked for.
func (r *Registrar) Register(req *message.Message, from Origin, expires time.Duration) Result {
	g, err := r.read(req, from, expires)
	if err != nil {
		return refuse(err)
	}
	bindings, err := r.commit(g)
	if err != nil {
		return refuse(err)
	}
	return g.accept(bindings)
}

// Lookup returns the bindings of an address of record in the order to try them:
// larger q first, then the one registered last. The URI need not be canonical.
func (r *Registrar) Lookup(aor string) ([]Binding, error) {
	aor, err := AOR(aor)
	if err != nil {
		return nil, err
	}
	bindings, _, err := r.load(aor, r.config.Clock())
	return bindings, err
}

// refusal is an error that reaches the peer.
type refusal struct {
	code    int
	reason  string
	headers []message.Header
}

func (e *refusal) Error() string { return e.reason }

func bad(reason string) error { return &refusal{code: 400, reason: reason} }

func refuse(err error) Result {
	if e, ok := errors.AsType[*refusal](err); ok {
		return Result{Code: e.code, Reason: e.reason, Headers: e.headers}
	}
	return Result{Code: 500, Reason: message.ReasonPhrase(500), Err: err}
}
