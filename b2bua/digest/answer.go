package digest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"legwork/b2bua/message"
)

// What an Answer can fail with.
var (
	ErrNoChallenge   = errors.New("no challenge in the response")
	ErrUnsupported   = errors.New("no challenge that can be answered: unknown scheme, algorithm or qop")
	ErrNoCredentials = errors.New("no credentials for the realm")
	ErrRejected      = errors.New("credentials rejected")
)

// Bounds on what challenges can make us do.
const (
	mostRealms = 4 // remembered by one Client
	// mostRounds are answers in a row without a final response that is no
	// challenge: three proxies and the callee, and two nonces gone stale.
	mostRounds = 6
)

// Client answers challenges as the UAC of one dialog, one registration or one
// request, and remembers the nonces. It belongs to one goroutine. The zero
// value is ready. Credentials that were rejected once are not tried again by
// the same Client; whoever tries later takes a new one.
type Client struct {
	Rand     func([]byte) // fills with random bytes; nil: crypto/rand
	sessions []*session
	rounds   int
}

// session is what is remembered of one role and realm.
type session struct {
	challenge
	user, a1 string
	cnonce   string // one for a nonce: the key of a session variant holds the first
	nc       uint32
	proven   bool // these credentials passed with this nonce
	refused  bool
}

// Answer reads the challenges of res, a 401 or 407 to req as it was sent, and
// returns all credentials that it must carry when it is sent again, with the
// next CSeq: of the realms that challenge now and of those that did before. The
// Authorization and Proxy-Authorization fields it has are to be removed. cred is
// asked for each realm, with the text between the quotes.
//
// When one realm has credentials that hold, there is no error about others.
func (c *Client) Answer(res, req *message.Message, cred func(realm string) (Credentials, bool)) ([]message.Header, error) {
	found, seen := challenges(res)
	switch {
	case !seen || res.Status != 401 && res.Status != 407:
		return nil, ErrNoChallenge
	case len(found) == 0:
		return nil, ErrUnsupported
	case c.rounds >= mostRounds:
		return nil, fmt.Errorf("%w: %d times in a row", ErrRejected, mostRounds)
	}
	c.rounds++
	var failed error
	answered := false
	for _, ch := range found {
		switch err := c.take(ch, req, cred); {
		case err == nil:
			answered = true
		case failed == nil || errors.Is(err, ErrRejected):
			failed = err
		}
	}
	if !answered {
		return nil, failed
	}
	return c.Authorize(req), nil
}

// take remembers a challenge with the credentials for it.
func (c *Client) take(ch challenge, req *message.Message, cred func(realm string) (Credentials, bool)) error {
	s := c.find(ch.role, ch.realm)
	if s != nil && (s.refused || !s.mayAnswer(ch, req)) {
		s.refused = true
		return ErrRejected
	}
	who, ok := cred(ch.realm)
	if !ok {
		return ErrNoCredentials
	}
	if s == nil {
		if len(c.sessions) == mostRealms {
			return ErrUnsupported
		}
		s = &session{}
		c.sessions = append(c.sessions, s)
	}
	s.begin(ch, who, c.Rand)
	return nil
}

func (c *Client) find(role Role, realm string) *session {
	for _, s := range c.sessions {
		if s.role == role && s.realm == realm {
			return s
		}
	}
	return nil
}

// mayAnswer tells a password that was refused, which must not be sent again
// (RFC 3261 section 22.1), from a nonce that grew old. Not all servers say
// stale then: a new nonce for credentials that passed before is taken as such,
// once.
func (s *session) mayAnswer(ch challenge, req *message.Message) bool {
	sent, ok := sentNonce(req, ch.role, ch.realm)
	return !ok || ch.stale || s.proven && ch.nonce != sent
}

// sentNonce is the nonce of the credentials that req carried for a realm.
func sentNonce(req *message.Message, role Role, realm string) (string, bool) {
	for _, value := range req.All(role.credentialsField()) {
		auths, _ := readAuths(value)
		for i := range auths {
			if auths[i].isDigest() && auths[i].get("realm") == realm {
				return auths[i].get("nonce"), true
			}
		}
	}
	return "", false
}

// begin starts counting with a new nonce; one that we have is counted on. The
// texts are copied: they would hold the whole response in memory.
func (s *session) begin(ch challenge, who Credentials, source func([]byte)) {
	if s.nonce == ch.nonce && s.algorithm == ch.algorithm && s.user == who.User {
		s.qop = ch.qop
		return
	}
	ch.realm, ch.nonce, ch.opaque = strings.Clone(ch.realm), strings.Clone(ch.nonce), strings.Clone(ch.opaque)
	ch.named = strings.Clone(ch.named)
	var b [8]byte
	random(b[:], source)
	*s = session{challenge: ch, user: who.User, cnonce: hex.EncodeToString(b[:])}
	s.a1 = ch.algorithm.hash(who.User, ch.realm, who.Password)
	if ch.algorithm.session() {
		s.a1 = ch.algorithm.hash(s.a1, ch.nonce, s.cnonce)
	}
}

// Authorize returns the credentials for a new request, which saves being
// challenged: for all realms known, each with its next nonce count. Call it
// when the request is complete: method, URI and (with auth-int) body count.
//
// ACK and CANCEL get none: they cannot be challenged (RFC 3261 section 22.1).
func (c *Client) Authorize(req *message.Message) []message.Header {
	if req.Method == "ACK" || req.Method == "CANCEL" {
		return nil
	}
	var fields []message.Header
	for _, s := range c.sessions {
		if !s.refused {
			s.nc++
			fields = append(fields, message.Header{Name: s.role.credentialsField(), Value: s.credentials(req)})
		}
	}
	return fields
}

// credentials writes the field value. Only quoted-string parameters are quoted
// (RFC 3261 section 25.1); response stands last for those who look for it there.
func (s *session) credentials(req *message.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s"`,
		escape(s.user), s.realm, s.nonce, escape(req.URI))
	if s.named != "" {
		b.WriteString(", algorithm=" + s.named)
	}
	if s.hasOpaque {
		b.WriteString(`, opaque="` + s.opaque + `"`)
	}
	if s.qop != "" {
		fmt.Fprintf(&b, `, qop=%s, nc=%08x, cnonce="%s"`, s.qop, s.nc, s.cnonce)
	}
	response := proof{
		algorithm: s.algorithm, a1: s.a1, nonce: s.nonce, cnonce: s.cnonce, nc: s.nc, qop: s.qop,
		method: req.Method, uri: req.URI, body: req.Body,
	}.response()
	b.WriteString(`, response="` + response + `"`)
	return b.String()
}

// Learn reads a final response to a request with our credentials: that they
// passed, and the nonce to use next (RFC 7616 section 3.5). Other responses
// teach nothing.
func (c *Client) Learn(res *message.Message) {
	if res.Status < 200 || res.Status == 401 || res.Status == 407 || res.Method == "CANCEL" {
		return
	}
	c.rounds = 0
	if res.Status >= 300 {
		return
	}
	for _, s := range c.sessions {
		s.proven = true
	}
	for _, role := range []Role{UAS, Proxy} {
		if value := res.Get(role.nextField()); value != "" {
			c.next(role, value)
		}
	}
}

// next takes a nextnonce. The field names no realm: its cnonce tells whose it
// is, or that there is but one. The key of a session variant stays (RFC 2617
// section 3.2.2.2): it lives until the next challenge.
func (c *Client) next(role Role, value string) {
	auths, ok := readAuths("Digest " + value)
	if !ok || auths[0].get("nextnonce") == "" {
		return
	}
	nonce, cnonce := auths[0].get("nextnonce"), auths[0].get("cnonce")
	var mine []*session
	for _, s := range c.sessions {
		if s.role == role && (cnonce == "" || cnonce == s.cnonce) {
			mine = append(mine, s)
		}
	}
	if len(mine) == 1 && mine[0].nonce != nonce {
		mine[0].nonce, mine[0].nc = strings.Clone(nonce), 0
	}
}

// ForACK returns the credentials of an INVITE for the ACK of its 2xx, which
// carries the same (RFC 3261 section 22.1).
func ForACK(invite *message.Message) []message.Header {
	var fields []message.Header
	for _, role := range []Role{UAS, Proxy} {
		for _, value := range invite.All(role.credentialsField()) {
			fields = append(fields, message.Header{Name: role.credentialsField(), Value: value})
		}
	}
	return fields
}
