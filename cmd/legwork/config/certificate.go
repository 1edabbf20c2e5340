package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Identity is what stands in the files of a secured listener.
type Identity struct {
	Certificate tls.Certificate
	ClientCAs   *x509.CertPool // nil: clients need no certificate
	ServerCAs   *x509.CertPool // nil: the system's
}

// Expires is when the certificate does.
func (i Identity) Expires() time.Time { return i.Certificate.Leaf.NotAfter }

// Format hides the key under every verb.
func (i Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// ExpiryNotice is how long before its end a certificate is warned of.
const ExpiryNotice = 14 * 24 * time.Hour

// certificates reads what the listeners' keys name.
func (r *reader) certificates(c *Config) {
	for i := range c.Listen {
		l := &c.Listen[i]
		if !isSecured(l.Transport) {
			r.unsecured(l)
			continue
		}
		if id, ok := r.identity(l); ok {
			if c.Identities == nil {
				c.Identities = map[string]Identity{}
			}
			c.Identities[l.Name] = id
		}
	}
}

// Renewed reads the certificates of the listeners again. One that can't be used
// now is left out; a reload of the whole file says why.
func (c *Config) Renewed() map[string]Identity {
	again := Config{Listen: slices.Clone(c.Listen)}
	(&reader{at: map[any]mark{}}).certificates(&again)
	return again.Identities
}

func isSecured(transport string) bool { return transport == "tls" || transport == "wss" }

// unsecured refuses keys that would do nothing.
func (r *reader) unsecured(l *Listener) {
	for _, one := range []struct {
		at  *string
		key string
	}{{&l.Cert, "cert"}, {&l.Key, "key"}, {&l.ClientCA, "client_ca"}, {&l.ServerCA, "server_ca"}} {
		if *one.at != "" && l.Transport != "" {
			r.refuse(one.at, fmt.Sprintf("%s: transport %s has no certificates", one.key, l.Transport), "remove it, or write transport: tls")
		}
	}
}

func (r *reader) identity(l *Listener) (id Identity, ok bool) {
	r.required(l, &l.Cert, "cert", "a file with the certificate and those between it and the authority's, as PEM")
	r.required(l, &l.Key, "key", "a file with the certificate's key, as PEM")
	cert, good := r.pem(&l.Cert, "cert")
	key, readable := r.pem(&l.Key, "key")
	if l.Transport == "wss" && l.ServerCA != "" {
		r.refuse(&l.ServerCA, "server_ca: nobody is dialled over wss", "remove it")
	}
	var fine [2]bool
	id.ClientCAs, fine[0] = r.authorities(&l.ClientCA, "client_ca")
	id.ServerCAs, fine[1] = r.authorities(&l.ServerCA, "server_ca")
	if cert == nil || key == nil || !good || !readable || fine != [2]bool{true, true} {
		return Identity{}, false
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		r.refuse(&l.Cert, fmt.Sprintf("cert: %s and %s can't be used: %v", l.Cert, l.Key, err), "name a certificate and its key, both as PEM")
		return Identity{}, false
	}
	id.Certificate = pair
	r.age(l, pair.Leaf)
	return id, true
}

// age warns of a certificate that is not valid, or not for long. It is no
// error: a restart must not take the other listeners away.
func (r *reader) age(l *Listener, c *x509.Certificate) {
	const cure = "have it renewed"
	switch now := time.Now(); {
	case now.After(c.NotAfter):
		r.warn(&l.Cert, fmt.Sprintf("cert: %s has expired on %s", l.Cert, c.NotAfter.Format(time.DateOnly)), cure)
	case now.Add(ExpiryNotice).After(c.NotAfter):
		r.warn(&l.Cert, fmt.Sprintf("cert: %s expires on %s", l.Cert, c.NotAfter.Format(time.DateOnly)), cure)
	case now.Before(c.NotBefore):
		r.warn(&l.Cert, fmt.Sprintf("cert: %s is not valid before %s", l.Cert, c.NotBefore.Format(time.DateTime)), "look at the clock")
	}
}

// authorities is nil where no file is named.
func (r *reader) authorities(path *string, key string) (*x509.CertPool, bool) {
	src, ok := r.pem(path, key)
	if src == nil {
		return nil, ok
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(src) {
		r.refuse(path, fmt.Sprintf("%s: no certificate in %s", key, *path), "name a file of certificates as PEM")
		return nil, false
	}
	return pool, true
}

// pem reads a file; nil where none is named.
func (r *reader) pem(path *string, key string) (src []byte, ok bool) {
	if *path == "" {
		return nil, true
	}
	r.files = append(r.files, *path)
	before := len(r.problems)
	if r.checkFile(path, *path, key); len(r.problems) > before {
		return nil, false
	}
	src, err := readFile(*path)
	if err = errors.Join(err, tooLarge(src)); err != nil {
		r.refuse(path, fmt.Sprintf("%s: %s can't be read: %v", key, *path, err), "name a file that this user may read")
		return nil, false
	}
	return src, true
}

func tooLarge(src []byte) error {
	if len(src) > maxFile {
		return fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return nil
}
