package lib

import (
	"context"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/store"
	"legwork/script/lua"
)

// A Question is one look-up of a script, as data.
type Question struct {
	Kind string // "http", "redis", "sql" or "dns"
	// Key is what is asked for: "GET https://api.example/n?x=1", with no
	// password in it; "cache get key", the server's name, method and arguments;
	// "routes select ...", the database's name and the statement with its blanks
	// made one; "srv _sip._udp.carrier.example".
	Key    string
	Values []any  // of a statement: nil, bool, float64 or string
	Body   []byte // of a POST
	Call   string // the engine's id of the call, "" outside of any
	File   string // of the script, with its line
	Line   int
}

// An Answer is what a look-up found.
type Answer struct {
	Status int    // of HTTP, with its body
	Body   []byte // not to be changed
	Cached bool
	// Value is what the others found, in the values of lua.ToGo: of Redis what the
	// method gives, of DNS a list, of a statement its rows as a list of maps, or
	// how many it changed.
	Value any
}

// Lookups stands between scripts and what they look up: to write answers down,
// to measure, or to answer from elsewhere.
type Lookups interface {
	// Look answers q by live, or without it. The error is what the script sees; a
	// Refusal word for word. It ends with ctx and may be called from any goroutine.
	Look(ctx context.Context, q *Question, live func(ctx context.Context) (Answer, error)) (Answer, error)
}

// A Refusal is the reason that scripts get, as it stands.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Reason is what scripts get of a failure. They branch on it, so it begins with
// one of few words.
func Reason(err error) string { return failure(err).Error() }

// look waits for an answer outside the VM, where waiting is allowed only, and
// counts it. The reason of a failure is for the script. question is asked when
// somebody wants to know.
func (x *library) look(a args, kind, server string, question func() Question, live func(ctx context.Context) (Answer, error)) (found Answer, reason string, ok bool) {
	hear, lookups := x.watcher(a), x.env.cfg.Lookups
	var q Question
	if hear != nil || lookups != nil {
		q = question()
		q.Kind = kind
	}
	if lookups != nil {
		real := live
		q.File, q.Line = lua.Where(a.L)
		if x.scope.Call != nil {
			q.Call = x.scope.Call(a.L)
		}
		live = func(ctx context.Context) (Answer, error) { return lookups.Look(ctx, &q, real) }
	}
	if m := x.memo(a); m != nil {
		asked := question()
		asked.Kind = kind
		live = remembered(m, asked.key(), live)
	}
	err := lua.Wait(a.L, func(ctx context.Context) error {
		began := time.Now()
		err := x.env.lookups.observe(kind, server, func() (err error) {
			found, err = live(ctx)
			return err
		})
		if hear != nil {
			hear(Told{Text: inWords(kind, q.Key, found, err), Took: time.Since(began)})
		}
		return err
	})
	if err != nil {
		return Answer{}, Reason(err), false
	}
	return found, "", true
}

// phrase joins what a look-up is made of.
func phrase(words ...any) string {
	var b strings.Builder
	for _, word := range words {
		if b.Len() > 0 && word != "" {
			b.WriteByte(' ')
		}
		switch word := word.(type) {
		case string:
			b.WriteString(word)
		case []any:
			b.WriteString(phrase(word...))
		case float64:
			b.WriteString(store.FormatNumber(word))
		case int:
			b.WriteString(strconv.Itoa(word))
		case int64:
			b.WriteString(strconv.FormatInt(word, 10))
		}
	}
	return b.String()
}
