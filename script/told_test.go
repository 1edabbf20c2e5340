package script

import (
	"context"
	"strings"
	"testing"

	"legwork/b2bua"
)

// story is what hooks have told, a line each.
func (f *fakeCall) story() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for _, ev := range f.told {
		if ev.Edits == nil {
			lines = append(lines, ev.Hook+" failed at "+ev.Where)
			continue
		}
		for _, e := range ev.Edits.List {
			lines = append(lines, strings.TrimSpace(ev.Hook+" "+e.Where()+" "+e.Op.String()+" "+e.Name+" "+e.Value))
		}
	}
	return strings.Join(lines, "\n")
}

const editing = `
function M.on_branch(call, leg, req)
  req.h["X-A"] = { "1", "2" }
  req.h["Diversion"] = nil
  req.uri.params.user = "phone"
  req.from.display = "Bob"
  req.h:drop{"X-*"}
  req.h:keep{"P-*"}
  req.h:add("X-B", "3")
  req.sdp:hold()
end
function M.on_progress(call, leg, res)
  res.h["X-C"] = "4"
  error("no")
end
function M.on_final(call, res) res.status = 486 end
M.outbound = { ["*"] = function(msg) msg.h["X-Out"] = "5" end }
M.responses = b2b.response_map { [486] = 480 }`

func TestWhatHooksWriteIsToldWithItsLine(t *testing.T) {
	r := run(t, editing)
	engine := &fakeCall{}
	one := r.call(t)
	c := r.Router(engine)
	req := invite(t)
	was := len(req.Headers)
	c.Branch(one.view, one.legB(), req)
	c.Progress(one.view, one.legB(), answerTo(t, 180))
	c.Final(one.view, answerTo(t, 503), b2bua.OriginPeer)
	c.Outbound(one.legB(), req)
	const want = `on_branch main.lua:4 set X-A 1
on_branch main.lua:4 add X-A 2
on_branch main.lua:5 remove Diversion
on_branch main.lua:6 set uri sip:+4930123@sbc.example;user=phone
on_branch main.lua:7 set From "Bob" <sip:+49891@carrier.example>;tag=a1
on_branch main.lua:8 drop X-*
on_branch main.lua:9 keep P-*
on_branch main.lua:10 add X-B 3
on_branch main.lua:11 set sdp
on_progress failed at main.lua:15
on_final main.lua:17 set status 486 Busy Here
responses main.lua:19 map status 486 → 480 Temporarily Unavailable
outbound * main.lua:18 set X-Out 5`
	if got := engine.story(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	first := engine.told[0]
	if first.Leg.Index != 1 || first.Edits.Into != req || len(first.Edits.Before.Headers) != was {
		t.Errorf("leg %d, into the message: %v, %d fields before", first.Leg.Index, first.Edits.Into == req, len(first.Edits.Before.Headers))
	}
}

func TestNobodyIsToldWhenNobodyWatches(t *testing.T) {
	r := run(t, editing)
	engine := &fakeCall{deaf: true}
	one := r.call(t)
	c := r.Router(engine)
	c.Invite(context.Background(), one.view)
	c.Branch(one.view, one.legB(), invite(t))
	c.Progress(one.view, one.legB(), answerTo(t, 180))
	c.Final(one.view, answerTo(t, 503), b2bua.OriginPeer)
	if got := engine.story(); got != "" {
		t.Error("told", got)
	}
}
