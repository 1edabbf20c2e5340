// Package door decides who may speak to us at all, before anybody reads what he
// says: addresses that are shut out by configuration (acl.go), and those that
// have failed too often (ban.go). It also slows down whoever guesses passwords
// (guess.go).
//
// It knows no messages, sockets, trunks or users; b2bua tells it who fails, who
// has proved himself, and whom never to ban.
//
// What can be forged decides what follows. The source of a datagram can: a
// stranger could have anybody banned by failing in his name. So there are two
// books. What was seen over a connection, or with a nonce that was sent to that
// very address, is proven: such a ban shuts out all that comes from there. All
// else is hearsay: it bans datagrams alone, never the address of a neighbour or
// of somebody who lately proved a password there, and it leaves a slit open
// through which the one who is accused wrongly can prove himself.
//
// Start with Door.Refuses, which each message meets, then Door.Failed.
package door

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Rules are what may change while the process runs.
type Rules struct {
	ACL       *ACL            // nil: everybody
	Listeners map[string]*ACL // by the name of the listener; both must admit
	After     int             // so many failures within Window ban a source; 0: nobody is banned
	Window    time.Duration
	For       time.Duration // a ban lasts
}

// Config is what a Door needs; all of it is required.
type Config struct {
	// Neighbour tells who is never banned.
	Neighbour func(Knock) bool
	// Vouched tells whether a message carries what only its source can have.
	Vouched func(source netip.Addr, message []byte) bool
	// Banned hears of each new ban.
	Banned func(Ban)
}

// Door is asked from any goroutine.
type Door struct {
	config Config
	seed   maphash.Seed
	rules  atomic.Pointer[Rules]
	banned atomic.Int64 // in both books, those that ran out included
	count  struct{ acl, ban [2]atomic.Uint64 }
	bans   [reasons]atomic.Uint64

	mu      sync.RWMutex // guards all below
	proven  book
	hearsay book
	proved  map[account]time.Time // when a user showed his password last
	guesses map[name]*guessed
}

// Counters is a snapshot for metrics.
type Counters struct {
	Bans        map[string]uint64 // ever, by reason
	Messages    map[string]uint64 // dropped unread, by acl or ban
	Connections map[string]uint64 // closed at once, by acl or ban
}

// New makes a door that is open.
func New(c Config) *Door {
	d := &Door{config: c, seed: maphash.MakeSeed(), proven: newBook(), hearsay: newBook(), proved: map[account]time.Time{}, guesses: map[name]*guessed{}}
	d.rules.Store(&Rules{})
	return d
}

// Apply replaces the rules. Bans that there are stay, unless nobody is banned
// any more.
func (d *Door) Apply(r Rules) {
	d.rules.Store(&r)
	if r.After > 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.proven, d.hearsay = newBook(), newBook()
	d.recount()
}

// Knock is somebody who wants to come in.
type Knock struct {
	Source   netip.Addr // unmapped
	Listener string
	Stream   bool   // over a connection
	Message  []byte // nil: the connection itself
}

// Refuses tells whether to leave him outside. It costs next to nothing while
// there are neither rules nor bans.
func (d *Door) Refuses(k Knock) bool {
	rules := d.rules.Load()
	if !rules.ACL.Admits(k.Source) || rules.Listeners != nil && !rules.Listeners[k.Listener].Admits(k.Source) {
		d.count.acl[k.kind()].Add(1)
		return true
	}
	if d.banned.Load() == 0 || !d.shutOut(k) {
		return false
	}
	d.count.ban[k.kind()].Add(1)
	return true
}

// kind is the place of what knocks in the counters.
func (k Knock) kind() int {
	if k.Message == nil {
		return 1
	}
	return 0
}

// shutOut tells whether a ban holds for him.
func (d *Door) shutOut(k Knock) bool {
	now, who := time.Now(), sourceOf(k.Source)
	d.mu.RLock()
	b := d.proven.bans[who]
	if !b.holds(now) && !k.Stream {
		b = d.hearsay.bans[who]
	}
	d.mu.RUnlock()
	if !b.holds(now) || d.config.Neighbour(k) {
		return false
	}
	if !b.Proven && (b.slit(now) || d.config.Vouched(k.Source, k.Message)) {
		return false
	}
	b.turned.Add(1)
	return true
}

// Counters reads the counters.
func (d *Door) Counters() Counters {
	c := Counters{Bans: make(map[string]uint64, reasons)}
	for r := range reasons {
		c.Bans[r.String()] = d.bans[r].Load()
	}
	by := func(kind int) map[string]uint64 {
		return map[string]uint64{"acl": d.count.acl[kind].Load(), "ban": d.count.ban[kind].Load()}
	}
	c.Messages, c.Connections = by(0), by(1)
	return c
}

// sourceOf is what is banned: an IPv4 address, or the IPv6 network that one
// customer has to himself.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := 64
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // only an invalid address fails, and is the zero prefix
	return p
}
