package lib

import (
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
	s := x.env.cfg.Store
	return map[string]glua.LGFunction{
		"get": storeMethod("get", func(a args, key string) (any, error) {
			text, ok, err := s.Get(key)
			if !ok || err != nil {
				return nil, err
			}
			return decodeValue(text)
		}),
		"set": storeMethod("set", func(a args, key string) (any, error) {
			value := a.stored(2, "the value")
			if value == nil {
				a.fail("the value must not be nil; use delete")
			}
			return true, s.Set(key, *value, a.ttl(3))
		}),
		"incr": storeMethod("incr", func(a args, key string) (any, error) {
			return s.Incr(key, a.optNumber(2, "the number", 1), a.ttl(3))
		}),
		"cas": storeMethod("cas", func(a args, key string) (any, error) {
			return s.CAS(key, a.stored(2, "the old value"), a.stored(3, "the new value"), a.ttl(4))
		}),
		"delete": storeMethod("delete", func(a args, key string) (any, error) { return s.Delete(key) }),
	}
}

func storeMethod(name string, f func(a args, key string) (any, error)) glua.LGFunction {
	return method("b2b.store:"+name, func(a args) int {
		if _, ok := a.L.Get(1).(*glua.LUserData); !ok {
			a.fail("call it with a colon: b2b.store:%s(...)", name)
		}
		v, err := f(a, a.key(1, "the key", maxStoreKey))
		switch {
		case errors.Is(err, store.ErrNotNumber), errors.Is(err, store.ErrTooLarge):
			a.fail("%v", err)
		case err != nil:
			return a.giveFailure(err.Error())
		}
		return a.give(lua.FromGo(a.L, v))
	})
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
