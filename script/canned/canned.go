// Package canned answers the look-ups of scripts from what was written down
// before: by hand, as the stubs of a test, or by a Recorder from a live run.
//
// It knows nothing of calls and of Lua; it stands where lib.Lookups and the
// transport of HTTP stand. HTTP is answered below the clients of the scripts, so
// that their caches and breakers work as they do live.
//
// Start with Stubs; read.go and value.go are the file they are written in,
// record.go writes one.
package canned

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"legwork/script/lib"
)

// A Stub answers the look-ups that its key describes.
type Stub struct {
	Kind  string        // "http", "redis", "sql" or "dns"
	Key   string        // as lib.Question has it; * stands for anything
	When  []any         // values that a statement must have; nil: any
	After time.Duration // how long the answer takes
	Err   string        // the reason of a failure; "": there is an answer
	lib.Answer
	// Ask makes the answer, in the shape that a stub file has it; nil: Answer is it.
	Ask func(ctx context.Context, q *lib.Question) (any, error)
}

// Style is the language of the line that answers what no stub does.
type Style uint8

// The styles.
const (
	JSON Style = iota
	Lua
)

// Bounds of a set of stubs.
const (
	maxStubs = 100_000
	maxTold  = 100 // look-ups without an answer that are told
)

// Stubs answer look-ups. They may be used from any goroutine.
type Stubs struct {
	style Style

	mu    sync.Mutex        // guards what follows
	exact map[string]*group // of keys without *, by id
	wild  []*group          // the most specific first
	count int
	open  []string
}

// group is the stubs of one key, which answer in turn; the last stays.
type group struct {
	stubs []Stub
	next  int
}

// New makes a set without stubs.
func New(style Style) *Stubs { return &Stubs{style: style, exact: map[string]*group{}} }

// Add adds stubs. Those of one key answer in turn and the last stays; they take
// the place of older ones of that key.
func (s *Stubs) Add(list ...Stub) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count += len(list); s.count > maxStubs {
		return fmt.Errorf("more than %d stubs", maxStubs)
	}
	fresh := map[string]*group{}
	for _, one := range list {
		id := identity(one.Kind, one.Key, one.When)
		if g := fresh[id]; g != nil {
			g.stubs = append(g.stubs, one)
			continue
		}
		g := &group{stubs: []Stub{one}}
		fresh[id] = g
		s.put(id, g)
	}
	return nil
}

func (s *Stubs) put(id string, g *group) {
	one := &g.stubs[0]
	if !strings.Contains(one.Key, "*") {
		s.exact[id] = g
		return
	}
	s.wild = slices.DeleteFunc(s.wild, func(o *group) bool {
		return identity(o.stubs[0].Kind, o.stubs[0].Key, o.stubs[0].When) == id
	})
	at, _ := slices.BinarySearchFunc(s.wild, one, func(o *group, one *Stub) int { return specific(one) - specific(&o.stubs[0]) })
	s.wild = slices.Insert(s.wild, at, g)
}

// specific orders stubs with a *: the more of a key they spell out, the better.
func specific(s *Stub) int {
	n := 2 * (len(s.Key) - strings.Count(s.Key, "*"))
	if s.When != nil {
		n++
	}
	return n
}

// identity is the same for the same question.
func identity(kind, key string, when []any) string {
	id := kind + " " + folded(kind, key)
	if when != nil {
		id += fmt.Sprintf("\x00%#v", when)
	}
	return id
}

// folded is a key as it is compared: names and SQL have no case.
func folded(kind, key string) string {
	if kind == "sql" || kind == "dns" {
		return strings.ToLower(strings.Join(strings.Fields(key), " "))
	}
	return key
}

// Unanswered lists the look-ups that no stub answered, each as the line that
// would.
func (s *Stubs) Unanswered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.open)
}

// Look implements lib.Lookups.
func (s *Stubs) Look(ctx context.Context, q *lib.Question, live func(ctx context.Context) (lib.Answer, error)) (lib.Answer, error) {
	if q.Kind == "http" {
		return live(ctx) // ends in RoundTrip
	}
	return s.answer(ctx, q)
}

// maxRequest bounds the body of a request that a stub sees.
const maxRequest = 1 << 20

// RoundTrip implements http.RoundTripper.
func (s *Stubs) RoundTrip(r *http.Request) (*http.Response, error) {
	q := lib.Question{Kind: "http", Key: r.Method + " " + r.URL.Redacted()}
	if r.Body != nil {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
		_ = r.Body.Close() // nothing is lost with it
		if err != nil {
			return nil, err
		}
		q.Body = body
	}
	a, err := s.answer(r.Context(), &q)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)), StatusCode: a.Status, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, ContentLength: int64(len(a.Body)),
		Body: io.NopCloser(bytes.NewReader(a.Body)),
	}, nil
}

func (s *Stubs) answer(ctx context.Context, q *lib.Question) (lib.Answer, error) {
	one, ok := s.find(q)
	if !ok {
		return lib.Answer{}, s.missing(q)
	}
	if one.After > 0 {
		wait := time.NewTimer(one.After)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return lib.Answer{}, ctx.Err()
		}
	}
	switch {
	case one.Err != "":
		return lib.Answer{}, lib.Refusal(one.Err)
	case one.Ask == nil:
		return one.Answer, nil
	}
	v, err := one.Ask(ctx, q)
	if err != nil {
		return lib.Answer{}, err
	}
	return AnswerOf(q.Kind, v)
}

// Answers tells whether a stub is for the question.
func (s *Stubs) Answers(q *lib.Question) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.group(q) != nil
}

// find is the most specific stub of a question.
func (s *Stubs) find(q *lib.Question) (Stub, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.group(q)
	if g == nil {
		return Stub{}, false
	}
	one := g.stubs[g.next]
	g.next = min(g.next+1, len(g.stubs)-1)
	return one, true
}

// group finds the stubs of a question; s.mu is held, nil: there are none.
func (s *Stubs) group(q *lib.Question) *group {
	g := s.exact[identity(q.Kind, q.Key, normal(q.Values))]
	if g == nil {
		g = s.exact[identity(q.Kind, q.Key, nil)]
	}
	key := folded(q.Kind, q.Key)
	for i := 0; g == nil && i < len(s.wild); i++ {
		one := &s.wild[i].stubs[0]
		if one.Kind != q.Kind || !matches(folded(one.Kind, one.Key), key) {
			continue
		}
		if one.When == nil || identity("", "", one.When) == identity("", "", normal(q.Values)) {
			g = s.wild[i]
		}
	}
	return g
}

// normal tells no values from any.
func normal(values []any) []any {
	if values == nil {
		return []any{}
	}
	return values
}

// missing is the error of a look-up that no stub answers.
func (s *Stubs) missing(q *lib.Question) error {
	line := example(q, s.style)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) < maxTold && !slices.Contains(s.open, line) {
		s.open = append(s.open, line)
	}
	return lib.Refusal("no stub answers this look-up; add " + line)
}

// matches tells whether text is what pattern describes: * is any run of
// characters, also none.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, last)
}
