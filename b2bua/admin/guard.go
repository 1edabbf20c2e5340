package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// maxBody bounds what a request may carry; none but a deployment needs any.
const maxBody = 64 << 10

// guard stands before every route. A browser on the operator's machine reaches
// loopback, so pages of other sites are kept from acting (their Origin) and,
// while no token protects us, from reading by DNS rebinding (their Host).
func (a *api) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := int64(maxBody)
		if r.URL.Path == deployPath {
			most = maxDeployment
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case a.Token == "" && !localName(r.Host):
			refuse(w, http.StatusForbidden, "without a token the API answers to an IP address or localhost, not to a name")
		case origin.Check(r) != nil:
			refuse(w, http.StatusForbidden, "requests of other web sites are refused")
		case r.ContentLength > most:
			refuse(w, http.StatusRequestEntityTooLarge, "the request is too large")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, most)
			next.ServeHTTP(w, r)
		}
	})
}

// localName tells whether a Host field needs no DNS.
func localName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

// trusts compares the bearer token in constant time.
func (a *api) trusts(r *http.Request) bool {
	if a.Token == "" {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(a.Token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// A wrong token is answered late, and while some wait nobody from that address
// is answered at all: a token is guessed no faster than mostGuesses a second. An
// operator has to wait for the moment in which somebody guesses at his own
// machine, or behind the same proxy.
const (
	guessPause  = time.Second
	mostGuesses = 8
)

// guesses are the wrong tokens that wait for their answer, by address.
type guesses struct {
	mu      sync.Mutex // guards waiting
	waiting map[string]int
}

// lets tells whether a request may go on, and answers it otherwise.
func (a *api) lets(w http.ResponseWriter, r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	trusted := a.trusts(r)
	switch {
	case a.guesses.tooMany(host, trusted):
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "too many wrong tokens: try again in a moment")
		return false
	case trusted:
		return true
	}
	<-time.After(guessPause) // also for who gives up meanwhile
	a.guesses.answered(host)
	a.log.Warn("wrong or missing admin token", "source", r.RemoteAddr)
	w.Header().Set("WWW-Authenticate", `Bearer realm="legwork"`)
	refuse(w, http.StatusUnauthorized, "a bearer token is required")
	return false
}

// tooMany counts a guess in, unless it is a good one.
func (g *guesses) tooMany(host string, trusted bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting[host] >= mostGuesses {
		return true
	}
	if !trusted {
		if g.waiting == nil {
			g.waiting = map[string]int{}
		}
		g.waiting[host]++
	}
	return false
}

func (g *guesses) answered(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting[host]--; g.waiting[host] <= 0 {
		delete(g.waiting, host)
	}
}
