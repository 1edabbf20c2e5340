package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"legwork/b2bua/transport"
	"legwork/cmd/legwork/config"
)

// identityOf is nil for a listener without TLS.
func identityOf(c *config.Config, listener string) *transport.Identity {
	id, secured := c.Identities[listener]
	if !secured {
		return nil
	}
	return &transport.Identity{Certificate: id.Certificate, ClientCAs: id.ClientCAs, ServerCAs: id.ServerCAs}
}

// showCertificates makes the listeners show those of the live configuration.
func (e *engine) showCertificates() {
	for _, l := range e.listeners {
		if id := identityOf(e.live.Load(), l.Name); id != nil && l.Secure() {
			l.SetIdentity(*id)
		}
	}
}

// expiries are when certificates expire, by listener.
func expiries(c *config.Config) map[string]time.Time {
	all := make(map[string]time.Time, len(c.Identities))
	for listener, id := range c.Identities {
		all[listener] = id.Expires()
	}
	return all
}

// ageCheck is how often certificates are looked at whose files nobody touches.
const ageCheck = 24 * time.Hour

// remindOfCertificates warns every day of those that expire soon; until ctx
// ends. What the start and a reload find, the configuration's check tells.
func (e *engine) remindOfCertificates(ctx context.Context) {
	tick := time.NewTicker(ageCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		warnOfExpiry(e.Log, e.live.Load(), time.Now())
	}
}

func warnOfExpiry(log *slog.Logger, c *config.Config, now time.Time) {
	all := expiries(c)
	for _, listener := range slices.Sorted(maps.Keys(all)) {
		if left := all[listener].Sub(now); left < config.ExpiryNotice {
			log.Warn("certificate expires soon or has expired", "transport", listener, "dur", left.Round(time.Hour).String())
		}
	}
}
