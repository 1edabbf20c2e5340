package lib

import (
	"context"
	"fmt"
	"math/rand/v2"

	"legwork/b2bua/store"
	"legwork/script/lua"
)

// A Memo stands between one call and what it asks of others: it writes answers
// down, or gives those that somebody else has got. Keys are of whatever was
// asked, with all that it was asked with.
type Memo interface {
	// Recall gives the answer to a question that was asked before.
	Recall(key string) (value any, err error, ok bool)
	// Refuse is the error of a question that Recall has no answer to; nil: it may
	// be asked.
	Refuse(key string) error
	Keep(key string, value any, err error)
	// Draws are the random numbers of the call, in place of these.
	Draws(live rand.Source) rand.Source
}

func (x *library) memo(a args) Memo {
	if x.scope.Memo == nil {
		return nil
	}
	return x.scope.Memo(a.L)
}

// remembered puts a memo before a look-up.
func remembered(m Memo, key string, live func(context.Context) (Answer, error)) func(context.Context) (Answer, error) {
	return func(ctx context.Context) (Answer, error) {
		if value, err, ok := m.Recall(key); ok {
			found, _ := value.(Answer)
			return found, err
		}
		if err := m.Refuse(key); err != nil {
			return Answer{}, err
		}
		found, err := live(ctx)
		if ctx.Err() == nil {
			m.Keep(key, found, err)
		}
		return found, err
	}
}

// key is all that a question says.
func (q *Question) key() string {
	text := q.Kind + " " + q.Key
	if len(q.Values) > 0 || len(q.Body) > 0 {
		text += fmt.Sprintf(" %q %q", q.Values, q.Body)
	}
	return text
}

// once puts a memo before the store or a limit; m is not nil.
func once[T any](m Memo, key string, ask func() (T, error)) (T, error) {
	if value, err, ok := m.Recall(key); ok {
		found, _ := value.(T)
		return found, err
	}
	value, err := ask()
	m.Keep(key, value, err)
	return value, err
}

// said is what a store's method is asked with besides the key.
func (a args) said() (text string) {
	for n := 2; n <= 4; n++ {
		v, _ := lua.ToGo(a.at(n)) // what it can't read was refused before
		text += fmt.Sprintf(" %v", v)
	}
	return text
}

// storedOnce is the answer of the store, or of a memo.
func (x *library) storedOnce(a args, name, key string, ask question) (any, error) {
	asks := func() (v any, err error) {
		err = x.stored(a, func(s store.Store) (err error) {
			v, err = ask(s)
			return err
		})
		return v, err
	}
	m := x.memo(a)
	if m == nil || name == "set" { // of which a script learns nothing
		return asks()
	}
	said := name + " " + key
	return once(m, "store "+said+a.said(), func() (any, error) {
		if x.env.blind {
			if err := m.Refuse("store " + said); err != nil {
				return nil, err
			}
		}
		return asks()
	})
}

// concurrentOnce is the answer of a limit, or of a memo.
func (x *library) concurrentOnce(a args, o Owner, key string, most int) (bool, error) {
	m := x.memo(a)
	if m == nil {
		return x.concurrent(a, o, key, most)
	}
	return once(m, fmt.Sprintf("limit concurrent %s %d", key, most), func() (bool, error) { return x.concurrent(a, o, key, most) })
}

// rateOnce likewise.
func (x *library) rateOnce(a args, key string, perSecond float64, burst int) (bool, error) {
	m := x.memo(a)
	if m == nil {
		return x.rate(a, key, perSecond, burst)
	}
	return once(m, fmt.Sprintf("limit rate %s %v %d", key, perSecond, burst), func() (bool, error) { return x.rate(a, key, perSecond, burst) })
}
