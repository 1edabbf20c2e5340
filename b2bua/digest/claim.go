package digest

import (
	"crypto/subtle"
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua/message"
)

// Outcome is what came of the credentials in a request. Only OK lets it in.
type Outcome uint8

// The outcomes, and what a caller of the package does about them.
const (
	Absent    Outcome = iota // none for this realm: challenge
	Claimed                  // readable and in time: look the user up, then Check
	OK                       // the user knows the password
	Stale                    // the nonce is too old or not ours: challenge
	Wrong                    // unknown user or wrong password, not told apart: challenge or 403
	Replayed                 // right, and seen before: challenge
	Malformed                // 400
	OtherURI                 // made for another Request-URI: 400 (RFC 7616 section 3.4.6)
)

// String is for logs.
func (o Outcome) String() string {
	switch o {
	case Absent:
		return "absent"
	case Claimed:
		return "claimed"
	case OK:
		return "ok"
	case Stale:
		return "stale"
	case Wrong:
		return "wrong"
	case Replayed:
		return "replayed"
	case Malformed:
		return "malformed"
	case OtherURI:
		return "other uri"
	default:
		return "unknown"
	}
}

// Claim is a user's word, to be checked against the secret. It belongs to one
// goroutine at a time, which may wait between Read and Check.
type Claim struct {
	User   string // as claimed; anything at all
	server *Server
	realm  string // as configured
	stamp  stamp
	proof
	answer string
}

// Verify is Read and Check for a look-up that does not wait. Never ask it about
// an ACK or CANCEL: they cannot be challenged (RFC 3261 section 22.1).
func (s *Server) Verify(req *message.Message, realm string, role Role, lookup func(user string) (Secret, bool)) (user string, out Outcome) {
	claim, out := s.Read(req, realm, role)
	if claim == nil {
		return "", out
	}
	secret, known := lookup(claim.User)
	return claim.User, claim.Check(secret, known)
}

// Read finds the credentials for realm. The claim is nil unless the outcome is
// Claimed, which proves nothing yet.
//
// A nonce that is expired, forgotten, forged, or of another realm or process is
// Stale: that costs an honest client one round, tells an attacker nothing, and
// nobody is looked up for it.
func (s *Server) Read(req *message.Message, realm string, role Role) (*Claim, Outcome) {
	a, out := s.find(req, escape(realm), role)
	if out != Claimed {
		return nil, out
	}
	c := &Claim{server: s, realm: realm, User: unescape(a.get("username")), answer: strings.ToLower(a.get("response"))}
	if !c.read(a) {
		return nil, Malformed
	}
	if !sameResource(c.uri, req.URI) {
		return nil, OtherURI
	}
	c.method, c.body = req.Method, req.Body
	known := false
	c.stamp, known = open(s.secret, c.nonce, role, escape(realm), s.place)
	if !known || !s.counts.fresh(c.stamp, s.now()) {
		return nil, Stale
	}
	return c, Claimed
}

// find picks the first credentials for the realm in an algorithm we offer; a
// client may send several (RFC 3261 section 22.3). Answers in others are Wrong.
func (s *Server) find(req *message.Message, realm string, role Role) (*auth, Outcome) {
	out := Absent
	values := req.All(role.credentialsField())
	for _, value := range values[:min(len(values), mostValues)] {
		auths, whole := readAuths(value)
		if !whole && len(value) >= 6 && strings.EqualFold(value[:6], "Digest") {
			out = Malformed
		}
		for i := range auths {
			a := &auths[i]
			if !a.isDigest() || a.get("realm") != realm {
				continue
			}
			if algorithm, _ := ParseAlgorithm(a.get("algorithm")); slices.Contains(s.algorithms, algorithm) {
				return a, Claimed
			}
			out = Wrong
		}
	}
	return nil, out
}

// read takes the parameters, false when one is missing or out of shape. A
// hashed user name (userhash) was not offered and is not taken.
func (c *Claim) read(a *auth) bool {
	c.algorithm, _ = ParseAlgorithm(a.get("algorithm"))
	c.nonce, c.cnonce = a.get("nonce"), a.get("cnonce")
	c.qop, c.uri = strings.ToLower(a.get("qop")), unescape(a.get("uri"))
	if c.User == "" || c.nonce == "" || c.uri == "" || strings.EqualFold(a.get("userhash"), "true") {
		return false
	}
	return len(c.answer) == c.algorithm.hexSize() && c.readCount(a.get("nc"))
}

// readCount reads nc, which goes with qop: eight lower-case hex digits, because
// the client hashed them as text (RFC 7616 section 3.4).
func (c *Claim) readCount(nc string) bool {
	switch {
	case c.qop == "":
		return nc == ""
	case c.qop != "auth" || c.cnonce == "" || len(nc) != 8 || strings.ToLower(nc) != nc:
		return false
	}
	n, err := strconv.ParseUint(nc, 16, 32)
	c.nc = uint32(n)
	return err == nil && n > 0
}

// Check computes what the user should have answered and uses up the nonce
// count. An unknown user (known false) costs the same work and comes out as a
// wrong password does, and so does a secret that cannot check the algorithm:
// both get a password that nobody knows.
func (c *Claim) Check(secret Secret, known bool) Outcome {
	switch nobody := c.server.nobody; {
	case !known:
		secret = nobody
	case secret.Password == "":
		secret.Password = nobody.Password // a stored hash goes before it
	}
	p := c.proof
	p.a1 = secret.a1(c.algorithm, c.User, c.realm)
	right := subtle.ConstantTimeCompare([]byte(p.response()), []byte(c.answer)) == 1
	if !right || !known {
		return Wrong
	}
	return c.server.counts.take(c.stamp, c.nc, c.server.now())
}
