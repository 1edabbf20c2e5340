package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"legwork/b2bua/admin"
	"legwork/b2bua/door"
	"legwork/cmd/legwork/config"
)

// doorOf reads who is left outside.
func doorOf(c *config.Config) (door.Rules, error) {
	r := door.Rules{After: c.Ban.After, Window: c.Ban.Window, For: c.Ban.For}
	var err error
	if r.ACL, err = door.NewACL(c.ACL.Prefixes()); err != nil {
		return r, fmt.Errorf("acl: %w", err)
	}
	for i := range c.Listen {
		l := &c.Listen[i]
		own, err := door.NewACL(l.ACL.Prefixes())
		switch {
		case err != nil:
			return r, fmt.Errorf("listener %s: acl: %w", l.Name, err)
		case own == nil:
			continue
		case r.Listeners == nil:
			r.Listeners = map[string]*door.ACL{}
		}
		r.Listeners[l.Name] = own
	}
	return r, nil
}

type bansCommand struct{ remote }

// Run lists the sources that are banned.
func (c *bansCommand) Run(t *terminal) error {
	var list admin.BanList
	return c.show(t, "/api/v1/bans", &list, func() {
		var rows [][]string
		for _, b := range list.Bans {
			scope := "all"
			if !b.Proven {
				scope = "udp"
			}
			rows = append(rows, []string{
				b.Source, b.Reason, scope, b.Since.Local().Format(time.DateTime), b.Until.Local().Format(time.DateTime),
				strconv.FormatUint(b.Messages, 10),
			})
		}
		t.table("nobody is banned", []string{"SOURCE", "REASON", "SCOPE", "SINCE", "UNTIL", "DROPPED"}, rows)
	})
}

type unbanCommand struct {
	remote
	IP string `arg:"" help:"Address that is let in again, of IPv6 its network of 64 bits."`
}

// Run lets one source in again.
func (c *unbanCommand) Run(t *terminal) error {
	if err := c.ask(http.MethodDelete, "/api/v1/bans/"+url.PathEscape(c.IP), nil); err != nil {
		return err
	}
	if c.JSON {
		return t.json(map[string]string{"unbanned": c.IP})
	}
	t.printf("%s is no longer banned\n", c.IP)
	return nil
}
