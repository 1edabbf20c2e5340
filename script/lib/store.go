package lib

import (
	"cmp"
	"context"
	"errors"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/store"
	"legwork/script/lua"
)

// maxStoreKey is below what a Memory takes, so that other stores can prefix it.
const maxStoreKey = 512

// storeMethods are those of b2b.store. A mistake of the script is an error; a
// store that is full makes them return nil and why.
func (x *library) storeMethods() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"get": x.storeMethod("get", func(_ args, key string) question {
			return func(s store.Store) (any, error) {
				text, ok, err := s.Get(key)
				if !ok || err != nil {
					return nil, err
				}
				return decodeValue(text)
			}
		}),
		"set": x.storeMethod("set", func(a args, key string) question {
			value, ttl := a.stored(2, "the value"), a.ttl(3)
			if value == nil {
				a.fail("the value must not be nil; use delete")
			}
			return func(s store.Store) (any, error) { return true, s.Set(key, *value, ttl) }
		}),
		"incr": x.storeMethod("incr", func(a args, key string) question {
			by, ttl := a.optNumber(2, "the number", 1), a.ttl(3)
			return func(s store.Store) (any, error) { return s.Incr(key, by, ttl) }
		}),
		"cas": x.storeMethod("cas", func(a args, key string) question {
			old, new, ttl := a.stored(2, "the old value"), a.stored(3, "the new value"), a.ttl(4)
			return func(s store.Store) (any, error) { return s.CAS(key, old, new, ttl) }
		}),
		"delete": x.storeMethod("delete", func(_ args, key string) question {
			return func(s store.Store) (any, error) { return s.Delete(key) }
		}),
	}
}

// A question is what a method asks the store, with its arguments read: the VM
// may be somebody else's meanwhile.
type question func(s store.Store) (any, error)

func (x *library) storeMethod(name string, read func(a args, key string) question) glua.LGFunction {
	return method("b2b.store:"+name, func(a args) int {
		if _, ok := a.L.Get(1).(*glua.LUserData); !ok {
			a.fail("call it with a colon: b2b.store:%s(...)", name)
		}
		key := a.key(1, "the key", maxStoreKey)
		ask := read(a, key)
		v, err := x.storedOnce(a, name, key, ask)
		v, err = x.settle(a, name+" "+key, v, err)
		switch {
		case errors.Is(err, store.ErrNotNumber), errors.Is(err, store.ErrTooLarge):
			a.fail("%v", err)
		case err != nil:
			return a.giveFailure(reasonOf(err))
		}
		return a.give(lua.FromGo(a.L, v))
	})
}

// holdUp is how long a store over a network may hold up a hook that may not
// wait, and its VM.
const holdUp = 50 * time.Millisecond

// stored asks the store. One over a network is waited for as a look-up, where
// that is allowed.
func (x *library) stored(a args, f func(s store.Store) error) error {
	if x.env.remote == nil {
		return f(x.env.cfg.Store)
	}
	return x.remotely(a, func(s store.Shared) error { return f(s) })
}

func (x *library) remotely(a args, f func(s store.Shared) error) error {
	hear := x.watcher(a)
	ask := func(ctx context.Context) error {
		began := time.Now()
		var refused error // because of the script: the look-up is as good as another
		err := x.env.lookups.observe("store", "shared", func() error {
			err := f(x.env.remote.Within(ctx))
			if errors.Is(err, store.ErrNotNumber) || errors.Is(err, store.ErrTooLarge) {
				refused, err = err, nil
			}
			return err
		})
		if hear != nil {
			hear(Told{Text: inWords("store", "shared", Answer{}, err), Took: time.Since(began)})
		}
		return cmp.Or(err, refused)
	}
	if lua.MayWait(a.L) {
		return lua.Wait(a.L, ask)
	}
	ctx, cancel := context.WithTimeout(context.Background(), holdUp)
	defer cancel()
	return ask(ctx)
}

// reasonOf is what a script learns of a failure: a full store says so, and a
// network that failed what became of it.
func reasonOf(err error) string {
	if errors.Is(err, store.ErrFull) || errors.Is(err, errValue) {
		return err.Error()
	}
	return failure(err).Error()
}

// ttl is an optional number of seconds; 0 stands for ever.
func (a args) ttl(n int) time.Duration {
	if !a.has(n) {
		return 0
	}
	ttl := a.asSeconds(a.at(n), "the time to live")
	if ttl <= 0 {
		a.fail("the time to live must be more than 0; leave it out to keep the value")
	}
	return ttl
}

// stored is an argument as the store keeps it; nil stands for nil.
func (a args) stored(n int, what string) *string {
	v, err := lua.ToGo(a.at(n))
	if err != nil {
		a.fail("%s: %v", what, err)
	}
	if v == nil {
		return nil
	}
	text, err := encodeValue(v)
	if err != nil {
		a.fail("%s: %v", what, err)
	}
	return &text
}
