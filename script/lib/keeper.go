package lib

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"legwork/b2bua/store"
)

// A place in a shared store is for lease, and renewed as long as its call
// lives: those of a process that is gone are free again after it. shareTime
// bounds one question about places outside of calls.
const (
	lease      = 30 * time.Second
	renewEvery = 10 * time.Second
	shareTime  = time.Second
	renewMost  = 500 // members in one question
)

// A keeper keeps the places of this process's calls in a store that several
// processes share.
type keeper struct {
	remote store.Remote
	warn   func(err error)
	name   string // of this process, before the members' numbers
	next   atomic.Uint64
	wake   chan struct{} // holds a token while places are to be given back
	stop   context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex                     // guards what follows
	held map[string]map[string]struct{} // members by key
	gone []place
}

type place struct{ key, member string }

// newKeeper begins to renew places; close ends it.
func newKeeper(remote store.Remote, name string, warn func(error)) *keeper {
	ctx, stop := context.WithCancel(context.Background())
	k := &keeper{
		remote: remote, warn: warn, name: name, stop: stop,
		wake: make(chan struct{}, 1), done: make(chan struct{}), held: map[string]map[string]struct{}{},
	}
	go k.run(ctx)
	return k
}

// member is a name for a place that no other has.
func (k *keeper) member() string { return k.name + strconv.FormatUint(k.next.Add(1), 36) }

// hold renews a place from now on: also one that was not asked for, because the
// store was away.
func (k *keeper) hold(p place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	members := k.held[p.key]
	if members == nil {
		members = map[string]struct{}{}
		k.held[p.key] = members
	}
	members[p.member] = struct{}{}
}

// release gives a place back soon; it does not wait.
func (k *keeper) release(p place) {
	k.mu.Lock()
	if delete(k.held[p.key], p.member); len(k.held[p.key]) == 0 {
		delete(k.held, p.key)
	}
	k.gone = append(k.gone, p)
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// close gives back all places.
func (k *keeper) close() {
	k.stop()
	<-k.done
	k.mu.Lock()
	for key, members := range k.held {
		for member := range members {
			k.gone = append(k.gone, place{key, member})
		}
	}
	clear(k.held)
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*shareTime)
	defer cancel()
	k.giveBack(ctx)
}

// run ends with ctx. Only it renews and gives back, so that no place is renewed
// after it was given back.
func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
			k.giveBack(ctx)
		case <-tick.C:
			k.renew(ctx)
		}
	}
}

// giveBack stops at the first failure: what is left ends with its lease.
func (k *keeper) giveBack(ctx context.Context) {
	k.mu.Lock()
	gone := k.gone
	k.gone = nil
	k.mu.Unlock()
	for _, p := range gone {
		if err := k.ask(ctx, func(s store.Shared) error { return s.Release(p.key, p.member) }); err != nil {
			k.warn(err)
			return
		}
	}
}

func (k *keeper) renew(ctx context.Context) {
	k.mu.Lock()
	var list []place
	chunks := map[string][][]string{}
	for key, members := range k.held {
		for member := range members {
			list = append(list, place{key, member})
		}
	}
	k.mu.Unlock()
	for _, p := range list {
		last := len(chunks[p.key]) - 1
		if last < 0 || len(chunks[p.key][last]) == renewMost {
			chunks[p.key] = append(chunks[p.key], nil)
			last++
		}
		chunks[p.key][last] = append(chunks[p.key][last], p.member)
	}
	for key, parts := range chunks {
		for _, members := range parts {
			if err := k.ask(ctx, func(s store.Shared) error { return s.Renew(key, members, lease) }); err != nil {
				k.warn(fmt.Errorf("places of calls can not be renewed: %w", err))
				return
			}
		}
	}
}

func (k *keeper) ask(ctx context.Context, f func(s store.Shared) error) error {
	ctx, cancel := context.WithTimeout(ctx, shareTime)
	defer cancel()
	return f(k.remote.Within(ctx))
}
