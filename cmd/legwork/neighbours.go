package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
	"legwork/cmd/legwork/config"
)

// neighbours makes the table of trunks from the configuration and the
// addresses of the host names in it.
func neighbours(cfg *config.Config, addrs map[string][]netip.Addr) (*trunk.Table, error) {
	var list []trunk.Trunk
	for _, name := range slices.Sorted(maps.Keys(cfg.Trunks)) {
		one, err := neighbour(name, cfg.Trunks[name])
		if err != nil {
			return nil, fmt.Errorf("trunk %s: %w", name, err)
		}
		list = append(list, one)
	}
	return trunk.NewTable(list, func(host string) []netip.Addr { return addrs[host] })
}

func neighbour(name string, c *config.Trunk) (trunk.Trunk, error) {
	responses, err := responseMap(c.Responses)
	if err != nil {
		return trunk.Trunk{}, err
	}
	t := trunk.Trunk{
		Name: name, Match: c.Match, Listen: c.Listen, Responses: responses, Params: c.Params, Profile: c.Profile,
		Limits:  trunk.Limits{Calls: c.Limits.Calls, CPS: float64(c.Limits.CPS)},
		Trust:   trust(c.Privacy),
		Headers: crossing(c.Headers), Auth: credentials(c.Auth), PRACK: reliability(c.PRACK), Timer: sessionTimer(c.Timer),
		Register: registration(c.Register),
	}
	for _, target := range c.Targets {
		t.Targets = append(t.Targets, trunk.Endpoint{URI: target.URI, Weight: target.Weight, Priority: target.Priority})
	}
	return t, nil
}

func credentials(c *config.Auth) *trunk.Auth {
	if c == nil {
		return nil
	}
	return &trunk.Auth{User: c.User, Password: string(c.Password)}
}

func registration(c *config.Register) *trunk.Register {
	if c == nil {
		return nil
	}
	return &trunk.Register{AOR: c.AOR, Expires: time.Duration(c.Expires), ContactUser: c.ContactUser}
}

func reliability(c config.PRACK) trunk.PRACK {
	return map[config.PRACK]trunk.PRACK{
		config.PRACKInterwork: trunk.InterworkPRACK, config.PRACKPass: trunk.PassPRACK, config.PRACKOff: trunk.NoPRACK,
	}[c]
}

func sessionTimer(c *config.TrunkTimer) *trunk.Timer {
	if c == nil {
		return nil
	}
	return &trunk.Timer{Off: c.Off, Expires: time.Duration(c.Expires), Min: time.Duration(c.Min), Refresher: c.Refresher}
}

func trust(c *config.Privacy) trunk.Trust {
	switch {
	case c == nil:
		return trunk.TrustUnsaid
	case c.Trust:
		return trunk.Trusted
	}
	return trunk.Untrusted
}

func responseMap(rows config.Responses) (*trunk.ResponseMap, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var list []trunk.Row
	for _, r := range rows {
		list = append(list, trunk.Row{From: []string{r.From}, Pass: r.Pass, To: trunk.Mapped{Code: r.Code, Reason: r.Text}})
	}
	return trunk.NewResponseMap(list)
}

func crossing(c config.Headers) trunk.Headers {
	preset, _ := trunk.ParsePreset(string(c.Preset)) // config knows no others
	h := trunk.Headers{Preset: preset, Pass: c.Pass, Drop: c.Drop}
	for _, name := range slices.Sorted(maps.Keys(c.Set)) {
		h.Set = append(h.Set, message.Header{Name: name, Value: c.Set[name]})
	}
	return h
}

// lookupTime bounds the look-up of one host name, hostsAge is how long its
// addresses are believed: the resolver tells no time to live.
const (
	lookupTime = 5 * time.Second
	hostsAge   = time.Minute
)

// hosts are the addresses of names that trunks match.
type hosts struct {
	network transport.Network
	log     *slog.Logger

	mu    sync.Mutex              // guards addrs
	addrs map[string][]netip.Addr // of the last look-up that found any
}

func newHosts(network transport.Network, log *slog.Logger) *hosts {
	return &hosts{network: network, log: log, addrs: map[string][]netip.Addr{}}
}

// known is what is known now.
func (h *hosts) known() map[string][]netip.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.addrs)
}

// matched lists the host names in the trunks' match.
func matched(cfg *config.Config) []string {
	names := map[string]bool{}
	for _, t := range cfg.Trunks {
		for _, m := range t.Match {
			if _, isPrefix := trunk.ParsePrefix(m); !isPrefix {
				names[m] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// lookUp finds the names' addresses. A name that is not found keeps those it
// had, and is warned of.
func (h *hosts) lookUp(ctx context.Context, names []string) map[string][]netip.Addr {
	var wait sync.WaitGroup
	room := make(chan struct{}, 16)
	for _, name := range names {
		wait.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			h.lookUpOne(ctx, name)
		})
	}
	wait.Wait()
	return h.known()
}

func (h *hosts) lookUpOne(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	found, err := h.network.LookupNetIP(ctx, name)
	if err != nil || len(found) == 0 {
		h.log.Warn("host name in a trunk's match is not found", "source", name, "err", fmt.Sprint(err))
		return
	}
	slices.SortFunc(found, netip.Addr.Compare)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.addrs[name] = found
}
