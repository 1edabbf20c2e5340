package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"legwork/b2bua/resolve"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
	"legwork/cmd/legwork/config"
)

const (
	lookupTime  = 5 * time.Second // bounds the look-up of one name with its services
	hostsAge    = 5 * time.Second // between looks; the network keeps what it hears for its time to live
	mostServers = 32              // of one service
)

// hosts are the addresses of names that trunks match.
type hosts struct {
	network transport.Network
	log     *slog.Logger

	mu      sync.Mutex              // guards all below
	addrs   map[string][]netip.Addr // of the last look-up that found any
	missing map[string]bool         // names that were not found last time
	rivals  []netip.Addr            // of the last table that was looked at
}

func newHosts(network transport.Network, log *slog.Logger) *hosts {
	return &hosts{network: network, log: log, addrs: map[string][]netip.Addr{}, missing: map[string]bool{}}
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
			if trunk.IsHost(m) {
				names[m] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// lookUp finds the names' addresses. A name that is not found keeps those it
// had, and is warned of once.
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
	found, err := h.sources(ctx, name)
	if h.keep(name, found, err == nil) {
		h.log.Warn("host name in a trunk's match is not found", "source", name, "err", err)
	}
}

// keep takes what a look-up found; unless that is all there is, the rest may be
// where it was. True: nothing was found, for the first time.
func (h *hosts) keep(name string, found []netip.Addr, all bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, missing := h.missing[name], len(found) == 0
	h.missing[name] = missing
	if !all {
		found = append(found, h.addrs[name]...)
	}
	if len(found) > 0 {
		slices.SortFunc(found, netip.Addr.Compare)
		h.addrs[name] = slices.Compact(found)
	}
	return missing && !before
}

// compare warns of addresses that trunks share by their names: only one has them.
// It is not an error, as all that is written is right, and DNS may change at any
// time.
func (h *hosts) compare(table *trunk.Table) {
	h.mu.Lock()
	before := h.rivals
	h.rivals = table.Rivals()
	h.mu.Unlock()
	for _, addr := range table.Rivals() {
		if slices.Contains(before, addr) {
			continue
		}
		hits := table.Matches(addr)
		for _, hit := range hits {
			if hit.Rival {
				h.log.Warn("two trunks match the same address; name it in the match of the one that is to have it",
					"source", addr, "trunk", hits[0].Trunk, "reason", hit.Entry+" of "+hit.Trunk)
			}
		}
	}
}

// sources are the addresses of a name and of the SIP servers that its SRV
// records name. err says that some are not known.
func (h *hosts) sources(ctx context.Context, name string) (all []netip.Addr, err error) {
	hosts := []string{name}
	for _, service := range []string{"_sip._udp.", "_sip._tcp.", "_sips._tcp."} {
		servers, failed := h.network.LookupSRV(ctx, service+name)
		if failed != nil && !errors.Is(failed, resolve.ErrNotFound) {
			err = failed
		}
		for _, s := range servers[:min(len(servers), mostServers)] {
			if s.Target != "." && !slices.Contains(hosts, s.Target) {
				hosts = append(hosts, s.Target)
			}
		}
	}
	for _, host := range hosts {
		found, failed := h.network.LookupNetIP(ctx, host)
		if failed != nil && !(errors.Is(failed, resolve.ErrNotFound) && len(hosts) > 1) {
			err = failed
		}
		all = append(all, found...)
	}
	if len(all) == 0 && err == nil {
		err = resolve.ErrNotFound
	}
	return all, err
}
