// Package digest is HTTP digest authentication for SIP (RFC 3261 section 22,
// RFC 7616, RFC 8760), both ways: a Client answers the challenges of a callee,
// a Server challenges callers and checks what they answer.
//
// It knows no calls, trunks, users file or sockets: it reads and writes header
// fields of messages, the caller of the package looks users up and sends. It
// does not slow down whoever guesses passwords, but tells that he is at one place
// (Server.At).
//
// github.com/icholy/digest computes the responses. It does not read or write
// the fields: its reader is case-sensitive about parameter names and wants no
// tabs, its writer quotes as Go does, and a nonce must go back byte by byte.
//
// Start with Client.Answer (answer.go) or with Server.Challenge and Server.Read
// (server.go, claim.go).
package digest

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"io"
	"strings"

	"github.com/icholy/digest"
)

// Role is who challenges: a UAS or registrar, or a proxy on the way. Their
// header fields differ, so one realm may live in both.
type Role uint8

// The roles.
const (
	UAS   Role = iota // 401, WWW-Authenticate, Authorization
	Proxy             // 407, Proxy-Authenticate, Proxy-Authorization
)

// Code is the status of a response that challenges.
func (r Role) Code() int {
	if r == Proxy {
		return 407
	}
	return 401
}

func (r Role) challengeField() string {
	if r == Proxy {
		return "Proxy-Authenticate"
	}
	return "WWW-Authenticate"
}

func (r Role) credentialsField() string {
	if r == Proxy {
		return "Proxy-Authorization"
	}
	return "Authorization"
}

// nextField is where the next nonce comes from (RFC 3261 section 20.6,
// RFC 7615).
func (r Role) nextField() string {
	if r == Proxy {
		return "Proxy-Authentication-Info"
	}
	return "Authentication-Info"
}

// Algorithm is one of the IANA registry; zero is none of ours.
type Algorithm uint8

// The algorithms. The session variants mix nonce and cnonce into the user's
// hash; only a Client speaks them.
const (
	MD5 Algorithm = iota + 1
	SHA256
	SHA512t256
	MD5Session
	SHA256Session
	SHA512t256Session
)

// ParseAlgorithm reads the name of an algorithm; case does not matter, and no
// name is MD5 (RFC 7616 section 3.3).
func ParseAlgorithm(name string) (Algorithm, bool) {
	if name == "" {
		return MD5, true
	}
	for a := MD5; a <= SHA512t256Session; a++ {
		if strings.EqualFold(name, a.String()) {
			return a, true
		}
	}
	return 0, false
}

// String is the name as the algorithm parameter has it.
func (a Algorithm) String() string {
	switch a {
	case MD5:
		return "MD5"
	case SHA256:
		return "SHA-256"
	case SHA512t256:
		return "SHA-512-256"
	case MD5Session, SHA256Session, SHA512t256Session:
		return a.plain().String() + "-sess"
	default:
		return "none"
	}
}

// session tells the session variants.
func (a Algorithm) session() bool { return a >= MD5Session && a <= SHA512t256Session }

// plain is the algorithm without its session variant.
func (a Algorithm) plain() Algorithm {
	if a.session() {
		return a - MD5Session + MD5
	}
	return a
}

// hexSize is the length of a hash as text.
func (a Algorithm) hexSize() int {
	if a.plain() == MD5 {
		return 2 * md5.Size
	}
	return 2 * sha256.Size
}

// hash is H of RFC 7616 section 3.3 over the parts with colons between.
func (a Algorithm) hash(parts ...string) string {
	text := []byte(strings.Join(parts, ":"))
	switch a.plain() {
	case SHA256:
		sum := sha256.Sum256(text)
		return hex.EncodeToString(sum[:])
	case SHA512t256:
		sum := sha512.Sum512_256(text)
		return hex.EncodeToString(sum[:])
	default:
		sum := md5.Sum(text)
		return hex.EncodeToString(sum[:])
	}
}

// proof is all that a response is computed from (RFC 7616 section 3.4.1). The
// texts are as they stand between the quotes.
type proof struct {
	algorithm     Algorithm
	a1            string // H(A1): of user, realm and password; of a session, its key
	nonce, cnonce string
	nc            uint32
	qop           string // auth, auth-int or "" (RFC 2069)
	method, uri   string
	body          []byte // counts with auth-int only
}

// response computes the response parameter; "" when it cannot be. The session
// variants differ in a1 alone, which icholy/digest takes as given.
func (p proof) response() string {
	ch := &digest.Challenge{Nonce: p.nonce, Algorithm: p.algorithm.plain().String()}
	if p.qop != "" {
		ch.QOP = []string{p.qop}
	}
	done, err := digest.Digest(ch, digest.Options{
		Method: p.method, URI: p.uri, A1: p.a1, Cnonce: p.cnonce, Count: int(p.nc),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(p.body)), nil },
	})
	if err != nil {
		return ""
	}
	return done.Response
}

// random fills b from a source; nil: crypto/rand, which never fails.
func random(b []byte, source func([]byte)) {
	if source == nil {
		_, _ = rand.Read(b)
		return
	}
	source(b)
}
