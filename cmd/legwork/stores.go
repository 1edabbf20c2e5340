package main

import (
	"context"
	"time"

	"legwork/b2bua/store"
	"legwork/b2bua/store/redis"
	"legwork/cmd/legwork/config"
)

// stores are what outlives a call: of scripts, and of phones apart from it,
// because scripts may fill theirs.
type stores struct {
	scripts, bindings store.Store
	close             func() error
}

// Times of a store in Redis: what waits for it are calls.
const (
	storeTimeout     = time.Second
	storeConnections = 20
)

func (e *engine) openStores(context.Context) (err error) {
	switch c := e.Config.Store; c.Kind {
	case "file":
		e.stores, err = e.storesIn(c.Path)
	case "redis":
		e.stores, err = storesAt(c)
	default:
		e.stores = &stores{
			scripts: store.NewMemory(store.Limits{}), bindings: store.NewMemory(store.Limits{}),
			close: func() error { return nil },
		}
	}
	return mend(err)
}

func (e *engine) storesIn(path string) (s *stores, err error) {
	f, err := store.OpenFile(path, e.Log)
	if err != nil {
		return nil, err
	}
	scripts, err := f.Room("scripts", store.Limits{})
	if err == nil {
		var bindings *store.Memory
		if bindings, err = f.Room("bindings", store.Limits{}); err == nil {
			return &stores{scripts: scripts, bindings: bindings, close: f.Close}, nil
		}
	}
	_ = f.Close() // nothing was written
	return nil, err
}

func storesAt(c config.Store) (*stores, error) {
	client, err := redis.Open(redis.Config{URL: string(c.URL), Timeout: storeTimeout, Connections: storeConnections})
	if err != nil {
		return nil, err
	}
	return &stores{
		scripts:  store.NewRedis(client, "legwork:scripts:", store.Limits{}),
		bindings: store.NewRedis(client, "legwork:bindings:", store.Limits{}),
		close:    func() error { client.Close(); return nil },
	}, nil
}
