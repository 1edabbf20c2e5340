package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// maxBody bounds what a request may carry; none needs any.
const maxBody = 64 << 10

// guard stands before every route. A browser on the operator's machine reaches
// loopback, so pages of other sites are kept from acting (their Origin) and,
// while no token protects us, from reading by DNS rebinding (their Host).
func (a *api) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case a.Token == "" && !localName(r.Host):
			refuse(w, http.StatusForbidden, "without a token the API answers to an IP address or localhost, not to a name")
		case origin.Check(r) != nil:
			refuse(w, http.StatusForbidden, "requests of other web sites are refused")
		case r.ContentLength > maxBody:
			refuse(w, http.StatusRequestEntityTooLarge, "requests carry no body")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
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
