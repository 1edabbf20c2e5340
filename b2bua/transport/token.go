package transport

import (
	"net/netip"
	"strconv"
	"strings"
)

// Token names a flow as text, for whoever keeps it longer than a message (RFC
// 5626 section 5.3). That of a connection is good while the connection lasts,
// and in this process only: its remote port may be another's later. The
// connection then stays open however long its peer is silent.
func (t *Transport) Token(f Flow) string {
	serial := ""
	if f.Stream() {
		if f.conn == nil {
			return ""
		}
		f.conn.name()
		serial = t.run + strconv.FormatUint(f.conn.serial, 10)
	}
	return strings.Join([]string{f.Network(), f.Listener.Local.String(), f.Remote.String(), serial, f.Listener.Name}, " ")
}

// Redeem returns the flow of a token; false when it is gone.
func (t *Transport) Redeem(token string) (Flow, bool) {
	parts := strings.SplitN(token, " ", 5)
	if len(parts) != 5 {
		return Flow{}, false
	}
	remote, err := netip.ParseAddrPort(parts[2])
	if err != nil {
		return Flow{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.listeners {
		if l.Network != parts[0] || l.Local.String() != parts[1] || l.Name != parts[4] {
			continue
		}
		if !l.Stream() {
			return Flow{Listener: l, Remote: remote}, true
		}
		if c := t.conns[path{listener: l, remote: remote}]; c != nil && t.run+strconv.FormatUint(c.serial, 10) == parts[3] {
			return c.flow, true
		}
	}
	return Flow{}, false
}

// Ended tells that a token was given by this process for a connection that is no
// more. What others have given may be good where they are.
func (t *Transport) Ended(token string) bool {
	parts := strings.SplitN(token, " ", 5)
	if len(parts) != 5 || !strings.HasPrefix(parts[3], t.run) {
		return false
	}
	_, there := t.Redeem(token)
	return !there
}
