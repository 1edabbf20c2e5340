package b2bua

import (
	"maps"
	"slices"
	"sync"

	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// index finds who takes a request by Call-ID and our tag, the call of an id, and
// INVITEs that came before on another branch.
type index struct {
	mu      sync.RWMutex // guards the maps
	parties map[dialogKey]party
	calls   map[string]*Call
	merged  map[string]*Call
	pairs   map[*txn]struct{} // subscriptions
}

type dialogKey struct{ callID, tag string }

// party takes what comes in one of its dialogs; tag is our To tag in it. Both
// are called in the reader's goroutine.
type party interface {
	request(tx *transaction.Server, req *message.Message, tag string)
	acked(ack *message.Message, from transport.Flow)
}

func newIndex() *index {
	return &index{pairs: map[*txn]struct{}{}, parties: map[dialogKey]party{}, calls: map[string]*Call{}, merged: map[string]*Call{}}
}

// add enters a dialog of a leg, or another leg for it; the call remembers it
// until it is forgotten.
func (x *index) add(key dialogKey, l *leg) {
	x.mu.Lock()
	x.parties[key] = l
	x.mu.Unlock()
	l.call.keys = append(l.call.keys, key)
}

// enter enters a dialog of a party that is no leg of a call; it leaves by itself.
func (x *index) enter(key dialogKey, p party) {
	x.mu.Lock()
	x.parties[key] = p
	x.mu.Unlock()
}

func (x *index) leave(keys []dialogKey) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, key := range keys {
		delete(x.parties, key)
	}
}

// subscribe enters a pair of subscriptions.
func (x *index) subscribe(t *txn) {
	x.mu.Lock()
	x.pairs[t] = struct{}{}
	x.mu.Unlock()
}

func (x *index) unsubscribe(t *txn) {
	x.mu.Lock()
	delete(x.pairs, t)
	x.mu.Unlock()
}

// subscriptions is a snapshot of the pairs.
func (x *index) subscriptions() []*txn {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Collect(maps.Keys(x.pairs))
}

// party is nil when nobody knows the dialog.
func (x *index) party(callID, tag string) party {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.parties[dialogKey{callID, tag}]
}

// leg is the party when it is a leg of a call, else nil.
func (x *index) leg(callID, tag string) *leg {
	l, _ := x.party(callID, tag).(*leg)
	return l
}

func (x *index) call(id string) *Call {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.calls[id]
}

// ofInvite returns the call of an INVITE by what merged requests share.
func (x *index) ofInvite(mergeKey string) *Call {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.merged[mergeKey]
}

// all is a snapshot of the calls.
func (x *index) all() []*Call {
	x.mu.RLock()
	defer x.mu.RUnlock()
	list := make([]*Call, 0, len(x.calls))
	for _, c := range x.calls {
		list = append(list, c)
	}
	return list
}

func (x *index) size() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.calls) + len(x.pairs)
}

// admit enters a call; false when the same INVITE came before on another way
// (RFC 3261 section 8.2.2.2).
func (x *index) admit(c *Call, mergeKey string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.merged[mergeKey] != nil {
		return false
	}
	x.merged[mergeKey] = c
	x.calls[c.id] = c
	key := dialogKey{c.a.dialog.CallID, c.a.dialog.Local}
	x.parties[key] = c.a
	c.keys = append(c.keys, key)
	return true
}

// move leads a dialog to another leg; the calls of both mind their keys.
func (x *index) move(key dialogKey, to *leg) {
	x.mu.Lock()
	x.parties[key] = to
	x.mu.Unlock()
}

// forget removes a call and all that leads to it.
func (x *index) forget(c *Call, mergeKey string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.calls[c.id] == c { // a search has the id of another
		delete(x.calls, c.id)
	}
	delete(x.merged, mergeKey)
	for _, key := range c.keys {
		delete(x.parties, key)
	}
	c.keys = nil
}
