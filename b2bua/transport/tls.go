package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"legwork/b2bua/message"
)

// greetLimit is for all that stands before the first message of a connection:
// the TLS handshake and the WebSocket's.
const greetLimit = 5 * time.Second

// mostGreetings bounds the accepted connections that have not come through it.
const mostGreetings = 1000

var errNobody = errors.New("showed no certificate")

// Identity is what a TLS listener shows, to those it accepts and to those who
// ask when it dials, and whom it believes.
type Identity struct {
	Certificate tls.Certificate
	ClientCAs   *x509.CertPool // one of them vouches for each client; nil: clients show nothing
	ServerCAs   *x509.CertPool // one of them vouches for each server that is dialled; nil: the system's
}

// serving is an Identity and what connections that come in are greeted with.
type serving struct {
	Identity
	server *tls.Config
}

// SetIdentity exchanges the listener's identity; connections that there are
// keep theirs.
func (l *Listener) SetIdentity(i Identity) {
	server := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{i.Certificate}}
	if i.ClientCAs != nil {
		// The library would want a certificate for clients. A SIP server that calls
		// shows the one it is called by, which is for servers.
		server.ClientAuth, server.ClientCAs = tls.RequireAnyClientCert, i.ClientCAs
		server.VerifyConnection = func(s tls.ConnectionState) error {
			return signed(s.PeerCertificates, i.ClientCAs, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth)
		}
		server.SessionTicketsDisabled = true // a CA that is taken away must not be remembered
	}
	l.identity.Store(&serving{i, server})
}

// Secure tells whether messages are encrypted on the way.
func (l *Listener) Secure() bool { return l.Network == "tls" || l.Network == "wss" }

// Secure tells whether the flow is encrypted.
func (f Flow) Secure() bool { return f.Listener.Secure() }

// TLSNames are the names in the certificate of the flow's peer that were
// verified with it: hosts of SIP URIs and DNS names, in lower case (RFC 5922
// section 7.1). Nil when it showed none or f has no connection.
func (f Flow) TLSNames() []string {
	if f.conn == nil {
		return nil
	}
	return f.conn.names
}

// accepted is the TLS side of a socket that was accepted; turns lets only some
// handshakes compute at a time.
func (l *Listener) accepted(socket net.Conn, t *Transport) *tls.Conn {
	return tls.Server(&waiting{Conn: socket, turns: t.turns, done: t.done}, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return l.identity.Load().server, nil
		},
	})
}

// greet does the handshake of an accepted connection, and then reads.
func (c *conn) greet() {
	t := c.transport
	if t.greeting.Add(1) > mostGreetings {
		t.greeting.Add(-1)
		t.count.turnedAway.Add(1)
		c.close(ErrClosed)
		return
	}
	web, err := c.welcome()
	t.greeting.Add(-1)
	switch {
	case err != nil:
		t.count.handshakes.Add(1)
		t.log.Debug("handshake failed", "source", c.flow.Remote, "transport", c.flow.Listener.Name, "err", err)
		c.close(ErrClosed)
	case web != nil:
		c.readMessages(web)
	default:
		c.read()
	}
}

// welcome shakes hands: for TLS, and for the WebSocket that it then returns.
func (c *conn) welcome() (*webSocket, error) {
	_ = c.socket.SetDeadline(time.Now().Add(greetLimit))
	if secured, ok := c.socket.(*tls.Conn); ok {
		if err := shake(secured); err != nil {
			return nil, err
		}
		if state := secured.ConnectionState(); len(state.PeerCertificates) > 0 { // they are asked for to be verified
			c.names = identities(state.PeerCertificates[0])
		}
	}
	var web *webSocket
	if c.flow.Listener.Web() {
		var err error
		if web, err = upgrade(c.socket, c.flow.Listener.origins); err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.socket = web
		c.mu.Unlock()
	}
	return web, c.socket.SetDeadline(time.Time{})
}

// shake does the server's side of a TLS handshake, as its turn comes.
func shake(secured *tls.Conn) error {
	wire := secured.NetConn().(*waiting)
	if !wire.begin() {
		return ErrClosed
	}
	defer wire.end()
	return secured.HandshakeContext(context.Background())
}

// secure does the handshake with a server that was dialled.
func (c *conn) secure(ctx context.Context, socket net.Conn) (net.Conn, error) {
	id := c.flow.Listener.identity.Load()
	secured := tls.Client(socket, &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: c.flow.name,
		// A certificate is shown to whoever asks: its names are public.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &id.Certificate, nil },
		InsecureSkipVerify:   true, // VerifyConnection does it: the library knows no names in SIP URIs
		VerifyConnection:     func(s tls.ConnectionState) error { return vouched(s.PeerCertificates, c.flow.name, id.ServerCAs) },
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	c.names = identities(secured.ConnectionState().PeerCertificates[0])
	return secured, nil
}

// vouched verifies a server's certificates for the host of the URI that is
// dialled (RFC 5922 section 7.3): by DNS name or IP address, or by a SIP URI.
// Unlike section 7.2 it takes wildcards in DNS names, as carriers use them.
func vouched(chain []*x509.Certificate, host string, roots *x509.CertPool) error {
	if err := signed(chain, roots, x509.ExtKeyUsageServerAuth); err != nil {
		return err
	}
	for _, name := range sipNames(chain[0]) {
		if strings.EqualFold(name, host) {
			return nil
		}
	}
	return chain[0].VerifyHostname(host)
}

// signed verifies that one of roots stands behind certificates, for one of uses.
func signed(chain []*x509.Certificate, roots *x509.CertPool, uses ...x509.ExtKeyUsage) error {
	if len(chain) == 0 {
		return errNobody
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: uses})
	return err
}

// identities are the names in a certificate (RFC 5922 section 7.1), at most 100.
// Its subject's common name is one where there are no alternatives at all.
func identities(c *x509.Certificate) []string {
	names := sipNames(c)
	for _, name := range c.DNSNames {
		names = append(names, strings.ToLower(name))
	}
	if cn := c.Subject.CommonName; !hasAlternatives(c) && strings.Contains(cn, ".") && !strings.ContainsAny(cn, " *:/@\"") {
		names = append(names, strings.ToLower(cn))
	}
	return names[:min(len(names), 100)]
}

func hasAlternatives(c *x509.Certificate) bool {
	return len(c.DNSNames)+len(c.URIs)+len(c.IPAddresses)+len(c.EmailAddresses) > 0
}

// sipNames are the hosts of SIP URIs without a user in a certificate.
func sipNames(c *x509.Certificate) []string {
	var names []string
	for _, one := range c.URIs {
		if u, err := message.ParseURI(one.String()); err == nil && u.Scheme == "sip" && u.User == "" {
			names = append(names, strings.ToLower(u.BareHost()))
		}
	}
	return names
}

// waiting is the wire under a TLS handshake. While that computes it has one of
// the turns, which it leaves to others while it waits for the peer: a storm of
// handshakes must not take every CPU.
type waiting struct {
	net.Conn
	turns chan struct{}
	done  <-chan struct{}
	ours  bool // the handshake is under way; it belongs to the reader
}

// begin takes a turn; false when the transport is closed.
func (w *waiting) begin() bool {
	select {
	case w.turns <- struct{}{}:
		w.ours = true
		return true
	case <-w.done:
		return false
	}
}

func (w *waiting) end() {
	if w.ours {
		w.ours = false
		<-w.turns
	}
}

// Read waits without a turn.
func (w *waiting) Read(b []byte) (int, error) {
	if !w.ours {
		return w.Conn.Read(b)
	}
	w.end()
	n, err := w.Conn.Read(b)
	if !w.begin() {
		return n, ErrClosed
	}
	return n, err
}

// secureName is the host that a server must prove to be.
func (h Hop) secureName() string {
	if h.Network != "tls" {
		return ""
	}
	if h.Host == "" {
		return h.Remote.Addr().String()
	}
	return h.Host
}

// checkIdentity tells what a secured listener lacks.
func (c ListenerConfig) checkIdentity() error {
	secured := c.Network == "tls" || c.Network == "wss"
	if secured && (c.Identity == nil || len(c.Identity.Certificate.Certificate) == 0) {
		return fmt.Errorf("%s needs a certificate", c.Network)
	}
	return nil
}
