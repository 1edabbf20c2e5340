package transaction

import (
	"hash/maphash"
	"strconv"
	"strings"
	"sync"

	"legwork/b2bua/message"
)

const shards = 64

// table finds transactions by key. It is cut in shards, so that readers of
// different sockets do not wait for each other.
type table[T comparable] struct {
	seed   maphash.Seed
	shards [shards]struct {
		mu  sync.Mutex // guards all
		all map[string]T
	}
}

func newTable[T comparable]() *table[T] {
	t := &table[T]{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].all = make(map[string]T)
	}
	return t
}

func (t *table[T]) get(key []byte) (T, bool) {
	s := &t.shards[maphash.Bytes(t.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.all[string(key)]
	return v, ok
}

// add returns what has the key already, or v itself.
func (t *table[T]) add(key string, v T) T {
	s := &t.shards[maphash.String(t.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.all[key]; ok {
		return old
	}
	s.all[key] = v
	return v
}

// del reports whether v was there.
func (t *table[T]) del(key string, v T) bool {
	s := &t.shards[maphash.String(t.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[key] != v {
		return false
	}
	delete(s.all, key)
	return true
}

// collect returns those that keep answers true for, which must not lock.
func (t *table[T]) collect(keep func(T) bool) []T {
	var found []T
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, v := range s.all {
			if keep(v) {
				found = append(found, v)
			}
		}
		s.mu.Unlock()
	}
	return found
}

const cookie = "z9hG4bK"

// appendServerKey writes what a request is matched by (RFC 3261 section
// 17.2.3): branch, sent-by and method. Without a branch of RFC 3261 these are
// the fields of RFC 2543. ACK and CANCEL look for their INVITE by its method.
func appendServerKey(b []byte, m *message.Message, method string) ([]byte, bool) {
	v, params, ok := m.TopVia()
	if !ok {
		return b, false
	}
	branch, _ := message.ParamIn(params, "branch")
	if len(branch) <= len(cookie) || !strings.EqualFold(branch[:len(cookie)], cookie) {
		return appendOldKey(b, m, v.Host+";"+params, method), true
	}
	b = append(append(b, branch...), '|')
	b = append(append(b, strings.ToLower(v.Host)...), ':')
	b = strconv.AppendInt(b, int64(v.Port), 10)
	return append(append(b, '|'), method...), true
}

// appendOldKey leaves the To tag out: that of an ACK is checked by its
// transaction.
func appendOldKey(b []byte, m *message.Message, via, method string) []byte {
	n, _, _ := m.CSeq()
	b = append(append(b, '\n'), m.CallID()...)
	b = strconv.AppendUint(append(b, '\n'), uint64(n), 10)
	b = append(append(b, '\n'), m.FromTag()...)
	b = append(append(b, '\n'), m.URI...)
	b = append(append(b, '\n'), via...)
	return append(append(b, '\n'), method...)
}

func appendClientKey(b []byte, branch, method string) []byte {
	return append(append(append(b, branch...), '|'), method...)
}
