package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"legwork/b2bua/door"
	"legwork/b2bua/message"
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
	acl, err := door.NewACL(c.ACL.Prefixes())
	if err != nil {
		return trunk.Trunk{}, fmt.Errorf("acl: %w", err)
	}
	diversion, _ := message.ParseDiversionForm(string(c.Diversion)) // config knows no others
	t := trunk.Trunk{
		Name: name, Match: c.Match, Listen: c.Listen, Responses: responses, Params: c.Params,
		Limits: trunk.Limits{Calls: c.Limits.Calls, CPS: float64(c.Limits.CPS)},
		Trust:  trust(c.Privacy), Codecs: trunk.Codecs{Keep: c.Codecs.Keep, Drop: c.Codecs.Drop, Prefer: c.Codecs.Prefer},
		Q850: causes(c.Q850), Numbers: numbers(c.Numbers), Diversion: diversion,
		Headers: crossing(c.Headers), Auth: credentials(c.Auth), PRACK: reliability(c.PRACK), Timer: sessionTimer(c.Timer),
		Register: registration(c.Register), Health: health(c.Health),
	}
	if acl != nil {
		t.Admits = acl.Admits
	}
	if c.Profile != nil {
		t.Profile = c.Profile.Lua
		if c.Profile.CUCM != "" {
			t.CUCM = &trunk.CUCM{File: c.Profile.CUCM, Params: c.Profile.Params}
		}
	}
	for _, target := range c.Targets {
		t.Targets = append(t.Targets, trunk.Endpoint{URI: target.URI, Weight: target.Weight, Priority: target.Priority, Backup: target.Weight == 0})
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

func health(c *config.Health) *trunk.Health {
	if c == nil {
		return nil
	}
	return &trunk.Health{Options: c.Options, Timeout: c.Timeout, DownAfter: c.DownAfter, UpAfter: c.UpAfter}
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

func numbers(c *config.Numbers) trunk.Numbers {
	if c == nil {
		return trunk.Numbers{}
	}
	form := map[config.NumberForm]trunk.NumberForm{
		config.NumberE164: trunk.E164Number, config.NumberPlain: trunk.PlainNumber, config.NumberNational: trunk.NationalNumber,
	}
	return trunk.Numbers{
		Country: c.Country, URI: form[c.URI], From: form[c.From], To: form[c.To], Identity: form[c.Identity], UserPhone: c.UserPhone,
	}
}

// causes takes the numbers of the file as numbers; config has checked them.
func causes(c config.Q850) trunk.Q850 {
	numbers := func(from map[string]int) map[int]int {
		to := make(map[int]int, len(from))
		for key, n := range from {
			if i, err := strconv.Atoi(key); err == nil {
				to[i] = n
			}
		}
		return to
	}
	return trunk.Q850{Add: c.Add, Read: c.Read, Causes: numbers(c.Causes), Codes: numbers(c.Codes)}
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
