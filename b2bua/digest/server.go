package digest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"legwork/b2bua/message"
)

// Config is what a Server may be told.
type Config struct {
	// Secret seals the nonces; nil: random, of this process alone. Processes
	// that share one take each other's nonces, but each counts for itself: a
	// recorded request passes once at each of the others while its nonce lives.
	Secret     []byte        // at least 16 bytes
	Lifetime   time.Duration // of a nonce; 0: five minutes
	Algorithms []Algorithm   // offered in this order; nil: SHA-256, then MD5 (RFC 8760 section 2.4)
	Nonces     int           // how many used ones are remembered, some 100 bytes each; 0: 65536
	Now        func() time.Time
	Rand       func([]byte) // fills with random bytes; nil: crypto/rand
}

// Server challenges callers and checks their answers. It may be used from any
// goroutine and keeps nothing of a challenge that nobody answered well.
type Server struct {
	secret     []byte
	algorithms []Algorithm
	now        func() time.Time
	rand       func([]byte)
	counts     *counts
	nobody     Secret // what unknown users are checked against
	place      string // that nonces are good for
}

// At is the same server towards one place: a nonce that it gave elsewhere is
// Stale there. So whoever answers a challenge over UDP is at the address that it
// was sent to, and what was recorded there is of no use from elsewhere. The name
// of a place has up to 255 bytes.
func (s *Server) At(place string) *Server {
	there := *s
	there.place = place
	return &there
}

// Gave tells whether a nonce is one of ours for this place and still good.
func (s *Server) Gave(nonce, realm string) bool {
	for _, role := range [...]Role{UAS, Proxy} {
		if stamp, ours := open(s.secret, nonce, role, escape(realm), s.place); ours {
			return s.counts.fresh(stamp, s.now())
		}
	}
	return false
}

// NewServer fails on a short secret, a negative number and an algorithm it
// cannot check: of the session variants it would have to remember the keys.
func NewServer(cfg Config) (*Server, error) {
	switch {
	case cfg.Secret != nil && len(cfg.Secret) < 16:
		return nil, errors.New("digest secret: shorter than 16 bytes")
	case cfg.Lifetime < 0 || cfg.Nonces < 0:
		return nil, errors.New("digest lifetime or number of nonces: below 0")
	}
	for i, a := range cfg.Algorithms {
		if a < MD5 || a > SHA512t256 || slices.Contains(cfg.Algorithms[:i], a) {
			return nil, fmt.Errorf("digest algorithm %s: not offered or listed twice", a)
		}
	}
	s := &Server{secret: slices.Clone(cfg.Secret), algorithms: slices.Clone(cfg.Algorithms), now: cfg.Now, rand: cfg.Rand}
	if len(s.algorithms) == 0 {
		s.algorithms = []Algorithm{SHA256, MD5}
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.now = steady(s.now)
	if s.secret == nil {
		s.secret = make([]byte, 32)
		random(s.secret, s.rand)
	}
	unguessable := newStamp(s.now(), s.rand)
	s.nobody = Secret{Password: string(unguessable[:])}
	s.counts = &counts{lifetime: cfg.Lifetime, most: cfg.Nonces, used: make(map[stamp]*window)}
	if s.counts.lifetime == 0 {
		s.counts.lifetime = 5 * time.Minute
	}
	if s.counts.most == 0 {
		s.counts.most = 1 << 16
	}
	// What a process before us took, under the same secret, we do not know.
	s.counts.floor = s.now().UnixNano() - 1
	return s, nil
}

// steady goes on from where now is, also when the machine's clock is set
// meanwhile. By a clock that was set back all nonces would be older than what we
// know of, and nobody could prove himself until it is where it was.
func steady(now func() time.Time) func() time.Time {
	began := now()
	return func() time.Time { return began.Add(now().Sub(began)) }
}

// Challenge returns the fields of a 401 or 407 (Role.Code), one for each
// algorithm. why is what came of the request that is refused: after Stale and
// Replayed the client is told that its password may be right.
func (s *Server) Challenge(realm string, role Role, why Outcome) []message.Header {
	realm = escape(realm)
	nonce := seal(s.secret, newStamp(s.now(), s.rand), role, realm, s.place)
	stale := ""
	if why == Stale || why == Replayed {
		stale = ", stale=true"
	}
	fields := make([]message.Header, len(s.algorithms))
	for i, a := range s.algorithms {
		fields[i] = message.Header{
			Name:  role.challengeField(),
			Value: fmt.Sprintf(`Digest realm="%s", nonce="%s", algorithm=%s, qop="auth"%s`, realm, nonce, a, stale),
		}
	}
	return fields
}
