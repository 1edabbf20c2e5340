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

// identities are those of the listeners, by name.
type identities map[string]config.Identity

// of is nil for a listener without TLS.
func (all identities) of(listener string) *transport.Identity {
	id, secured := all[listener]
	if !secured {
		return nil
	}
	return &transport.Identity{Certificate: id.Certificate, ClientCAs: id.ClientCAs, ServerCAs: id.ServerCAs}
}

// renewCertificates shows what stands now in the files that the live
// configuration names. They stand for themselves: a script or a configuration
// that can't be loaded must not let a certificate expire. One that can't be used
// leaves the one that is.
func (e *engine) renewCertificates() {
	all := maps.Clone(*e.identities.Load())
	maps.Copy(all, e.live.Load().Renewed())
	e.showCertificates(all)
}

// showCertificates makes the listeners show these.
func (e *engine) showCertificates(all identities) {
	e.identities.Store(&all)
	for _, l := range e.listeners {
		if id := all.of(l.Name); id != nil && l.Secure() {
			l.SetIdentity(*id)
		}
	}
}

// expiries are when certificates expire, by listener.
func (all identities) expiries() map[string]time.Time {
	ends := make(map[string]time.Time, len(all))
	for listener, id := range all {
		ends[listener] = id.Expires()
	}
	return ends
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
		warnOfExpiry(e.Log, *e.identities.Load(), time.Now())
	}
}

func warnOfExpiry(log *slog.Logger, all identities, now time.Time) {
	ends := all.expiries()
	for _, listener := range slices.Sorted(maps.Keys(ends)) {
		if left := ends[listener].Sub(now); left < config.ExpiryNotice {
			log.Warn("certificate expires soon or has expired", "transport", listener, "dur", left.Round(time.Hour).String())
		}
	}
}
