package lib

import (
	"context"
	"errors"
	"net/netip"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/resolve"
	"legwork/script/lua"
)

// dnsLimit is for one look-up of a script; the hook's deadline may end it
// sooner.
const dnsLimit = 3 * time.Second

// DNS looks names up, *resolve.Client and the like.
type DNS interface {
	LookupNetIP(ctx context.Context, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, name string) ([]resolve.SRV, error)
	LookupNAPTR(ctx context.Context, name string) ([]resolve.NAPTR, error)
}

// LookupNetIP implements DNS.
func (Nowhere) LookupNetIP(context.Context, string) ([]netip.Addr, error) { return nil, errNowhere }

// LookupSRV implements DNS.
func (Nowhere) LookupSRV(context.Context, string) ([]resolve.SRV, error) { return nil, errNowhere }

// LookupNAPTR implements DNS.
func (Nowhere) LookupNAPTR(context.Context, string) ([]resolve.NAPTR, error) {
	return nil, errNowhere
}

func (x *library) dns() map[string]glua.LGFunction {
	names := x.env.cfg.DNS
	return map[string]glua.LGFunction{
		"a": function("b2b.dns.a", func(a args) int {
			host := a.key(1, "the name", 253)
			return records(x, a, phrase("a", host), func(ctx context.Context) ([]netip.Addr, error) { return names.LookupNetIP(ctx, host) },
				func(one netip.Addr) any { return one.String() })
		}),
		"srv": function("b2b.dns.srv", func(a args) int {
			name := a.key(1, "the name", 253)
			return records(x, a, phrase("srv", name), func(ctx context.Context) ([]resolve.SRV, error) { return names.LookupSRV(ctx, name) }, srvRecord)
		}),
		"naptr": function("b2b.dns.naptr", func(a args) int {
			name := a.key(1, "the name", 253)
			return records(x, a, phrase("naptr", name), func(ctx context.Context) ([]resolve.NAPTR, error) { return names.LookupNAPTR(ctx, name) }, naptrRecord)
		}),
		"enum": function("b2b.dns.enum", func(a args) int {
			number, tree := a.key(1, "the number", 64), a.optText(2, "the tree", "")
			if !resolve.IsNumber(number) {
				return a.giveFailure("not a number with its country code")
			}
			return records(x, a, phrase("enum", number, tree), func(ctx context.Context) ([]resolve.Service, error) { return resolve.ENUM(ctx, names, number, tree) },
				func(one resolve.Service) any { return map[string]any{"service": one.Service, "uri": one.URI} })
		}),
	}
}

// records gives a list of what was found: an empty one when there is nothing,
// nil and why when nobody knows.
func records[T any](x *library, a args, key string, ask func(context.Context) ([]T, error), shown func(T) any) int {
	question := func() Question { return Question{Key: key} }
	answer, reason, ok := x.look(a, "dns", "", question, func(ctx context.Context) (Answer, error) {
		ctx, cancel := context.WithTimeout(ctx, dnsLimit)
		defer cancel()
		found, err := ask(ctx)
		if err != nil && !errors.Is(err, resolve.ErrNotFound) {
			return Answer{}, err
		}
		list := make([]any, len(found))
		for i, one := range found {
			list[i] = shown(one)
		}
		return Answer{Value: list}, nil
	})
	if !ok {
		return a.giveFailure(reason)
	}
	return a.give(lua.FromGo(a.L, answer.Value))
}

func srvRecord(s resolve.SRV) any {
	return map[string]any{"target": s.Target, "port": float64(s.Port), "priority": float64(s.Priority), "weight": float64(s.Weight)}
}

func naptrRecord(n resolve.NAPTR) any {
	return map[string]any{
		"order": float64(n.Order), "preference": float64(n.Preference), "flags": n.Flags, "service": n.Service,
		"regexp": n.Regexp, "replacement": n.Replacement,
	}
}
