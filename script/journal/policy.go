package journal

import (
	"context"

	"legwork/b2bua"
)

// Policy is p, with a log that learns where calls came from: nothing else knows
// what a script is told of it.
func (l *Log) Policy(p b2bua.Policy) b2bua.Policy { return policy{p, l} }

type policy struct {
	b2bua.Policy
	log *Log
}

func (p policy) Router(h b2bua.Handle) b2bua.Router { return &router{p.Policy.Router(h), p.log} }

type router struct {
	b2bua.Router
	log *Log
}

func (r *router) Invite(ctx context.Context, v b2bua.View) b2bua.Decided {
	r.log.From(v.ID, v.Source)
	return r.Router.Invite(ctx, v)
}
