package door

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Reason is what somebody did wrong.
type Reason uint8

// The reasons.
const (
	Unknown     Reason = iota // of no trunk, and no user
	Credentials               // that prove nothing
	Malformed                 // not SIP
	Scanner                   // says that it is one, and is banned at once
	Challenged                // asked for a password and has not shown one yet: a fifth of a failure
	reasons
)

// String is for logs, metrics and the API.
func (r Reason) String() string {
	switch r {
	case Credentials:
		return "credentials"
	case Malformed:
		return "malformed"
	case Scanner:
		return "scanner"
	case Challenged:
		return "challenged"
	default:
		return "unknown"
	}
}

// Ban is one source that is shut out.
type Ban struct {
	Source   netip.Prefix // an IPv4 address, or an IPv6 network of 64 bits
	Reason   Reason       // of the last failure
	Proven   bool         // else it may be somebody else's doing, and is for datagrams alone
	Since    time.Time
	Until    time.Time
	Messages uint64 // turned away; connections count too
}

// Where is the source as people write it.
func (b Ban) Where() string {
	if b.Source.IsSingleIP() {
		return b.Source.Addr().String()
	}
	return b.Source.String()
}

// Bounds of what strangers can make us remember, in each book.
const (
	mostSuspects = 1 << 16
	mostBans     = 1 << 16
	mostProved   = 1 << 16
)

// share of a failure that a challenge is: phones behind one address that all
// start at once are no attack.
const share = 5

// slitEvery is how often one datagram of a source banned by hearsay is read.
const slitEvery = 5 * time.Second

// standing is how long a password that was shown speaks for an address.
const standing = 24 * time.Hour

// book is who fails and who is banned for it.
type book struct {
	suspects map[netip.Prefix]*suspect
	bans     map[netip.Prefix]*ban
}

// suspect counts the failures of one window, in shares.
type suspect struct {
	since              time.Time
	failed, challenged int
}

type ban struct {
	Ban
	turned atomic.Uint64
	next   atomic.Int64 // when the slit opens; nanoseconds behind Since, whatever the clock is set to
}

func newBook() book {
	return book{suspects: map[netip.Prefix]*suspect{}, bans: map[netip.Prefix]*ban{}}
}

func (b *ban) holds(now time.Time) bool { return b != nil && now.Before(b.Until) }

// slit lets one through now and then.
func (b *ban) slit(now time.Time) bool {
	next, passed := b.next.Load(), now.Sub(b.Since)
	return int64(passed) >= next && b.next.CompareAndSwap(next, int64(passed+slitEvery))
}

// account is a user at one place.
type account struct {
	user name
	at   netip.Prefix
}

// name stands for a user's name, which may be long. Who shares it with another is
// mistaken for him: he waits, or does not.
type name uint64

const anybody name = 0

func (d *Door) name(user string) name { return name(maphash.String(d.seed, user) | 1) }

// recount lets Refuses know whether there are bans; d.mu is held.
func (d *Door) recount() { d.banned.Store(int64(len(d.proven.bans) + len(d.hearsay.bans))) }

// Failed notes that somebody did something wrong. proven tells that it was the
// one who has that address. It is not for neighbours.
func (d *Door) Failed(source netip.Addr, why Reason, proven bool) {
	rules := d.rules.Load()
	if rules.After <= 0 {
		return
	}
	now, who := time.Now(), sourceOf(source)
	d.mu.Lock()
	at := &d.proven
	if !proven {
		at = &d.hearsay
	}
	excused := (!proven || why == Challenged) && d.stands(account{anybody, who}, now)
	if excused || at.bans[who].holds(now) || !at.suspect(who, now, rules.Window).is(why, rules.After) {
		d.mu.Unlock()
		return
	}
	one := at.ban(Ban{Source: who, Reason: why, Proven: proven, Since: now, Until: now.Add(rules.For)})
	d.recount()
	d.mu.Unlock()
	d.bans[why].Add(1)
	d.config.Banned(one)
}

// suspect is who fails, within the window that runs.
func (b *book) suspect(who netip.Prefix, now time.Time, window time.Duration) *suspect {
	s := b.suspects[who]
	if s != nil && now.Sub(s.since) < window {
		return s
	}
	if s == nil {
		thin(b.suspects, mostSuspects, func(s *suspect) bool { return now.Sub(s.since) >= window })
	}
	s = &suspect{since: now}
	b.suspects[who] = s
	return s
}

// is counts a failure and tells whether it is one too many.
func (s *suspect) is(why Reason, after int) bool {
	switch why {
	case Scanner:
		return true
	case Challenged:
		s.challenged++
	default:
		s.failed += share
	}
	return s.failed+s.challenged >= after*share
}

func (b *book) ban(one Ban) Ban {
	delete(b.suspects, one.Source)
	thin(b.bans, mostBans, func(old *ban) bool { return !old.holds(one.Since) })
	kept := &ban{Ban: one}
	kept.next.Store(int64(slitEvery))
	b.bans[one.Source] = kept
	return one
}

// thin makes room in a full map: old entries go, then any, a quarter of them at
// once, because looking for some takes as long as the map is large.
func thin[K comparable, V any](m map[K]V, most int, old func(V) bool) {
	if len(m) < most {
		return
	}
	for k, v := range m {
		if old(v) {
			delete(m, k)
		}
	}
	for k := range m {
		if len(m) <= most*3/4 {
			return
		}
		delete(m, k)
	}
}

// Proved notes that a user has shown his password and is at that address: what
// was said of it by hearsay is forgotten.
func (d *Door) Proved(source netip.Addr, user string) {
	now, who := time.Now(), sourceOf(source)
	if d.isNoNews(account{d.name(user), who}, now) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old := func(at time.Time) bool { return now.Sub(at) >= standing }
	for _, a := range [...]account{{anybody, who}, {d.name(user), who}} {
		if _, known := d.proved[a]; !known {
			thin(d.proved, mostProved, old)
		}
		d.proved[a] = now
	}
	delete(d.hearsay.suspects, who)
	delete(d.hearsay.bans, who)
	d.recount()
	if s := d.proven.suspects[who]; s != nil {
		s.challenged = 0
	}
}

// isNoNews spares those who prove themselves with every request the lock.
func (d *Door) isNoNews(a account, now time.Time) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	at, known := d.proved[a]
	return known && now.Sub(at) < standing/24 && d.hearsay.bans[a.at] == nil && d.proven.suspects[a.at] == nil
}

// stands tells whether a user, or any, lately showed his password there; d.mu
// is held.
func (d *Door) stands(a account, now time.Time) bool {
	at, known := d.proved[a]
	return known && now.Sub(at) < standing
}

// Bans lists those that hold, the newest first.
func (d *Door) Bans() []Ban {
	list := d.standing(time.Now())
	slices.SortFunc(list, func(a, b Ban) int {
		return cmp.Or(b.Since.Compare(a.Since), a.Source.Compare(b.Source))
	})
	return list
}

// standing forgets the bans that are over and copies the rest.
func (d *Door) standing(now time.Time) (list []Ban) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, from := range []map[netip.Prefix]*ban{d.proven.bans, d.hearsay.bans} {
		for who, b := range from {
			if !b.holds(now) {
				delete(from, who)
				continue
			}
			one := b.Ban
			one.Messages = b.turned.Load()
			list = append(list, one)
		}
	}
	d.recount()
	return list
}

// Lift ends the bans of an address; false when there are none.
func (d *Door) Lift(source netip.Addr) bool {
	now, who := time.Now(), sourceOf(source)
	d.mu.Lock()
	defer d.mu.Unlock()
	held := false
	for _, at := range []*book{&d.proven, &d.hearsay} {
		held = held || at.bans[who].holds(now)
		delete(at.bans, who)
		delete(at.suspects, who)
	}
	d.recount()
	return held
}
