package main

import (
	"fmt"
	"net/netip"

	"legwork/b2bua"
	"legwork/b2bua/leak"
	"legwork/cmd/legwork/config"
)

// leaksOf is what is looked for in what leaves; nil when nothing is inside.
func leaksOf(c config.Leaks) (*b2bua.Leaks, error) {
	if len(c.Words)+len(c.Networks) == 0 {
		return nil, nil
	}
	networks := make([]netip.Prefix, 0, len(c.Networks))
	for _, text := range c.Networks {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("leaks: %w", err)
		}
		networks = append(networks, n)
	}
	guard, err := leak.New(c.Words, networks)
	if err != nil {
		return nil, fmt.Errorf("leaks: %w", err)
	}
	return &b2bua.Leaks{Guard: guard, Every: c.Every}, nil
}
