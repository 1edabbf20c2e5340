package script

import (
	"context"
	"testing"

	"legwork/b2bua"
)

// BenchmarkCall is what a call costs in scripts: a routing decision, edits of
// the INVITE that leaves, and a failure that is looked at.
func BenchmarkCall(b *testing.B) { benchCall(b, &fakeCall{deaf: true}) }

// BenchmarkWatchedCall is that while somebody wants to know what hooks write.
func BenchmarkWatchedCall(b *testing.B) { benchCall(b, forgetful{}) }

// forgetful is a call whose story nobody keeps.
type forgetful struct{}

func (forgetful) Note(string, string) {}
func (forgetful) HangUp(int)          {}
func (forgetful) OnEnd(func())        {}
func (forgetful) Watched() bool       { return true }
func (forgetful) Tell(b2bua.Event)    {}

func benchCall(b *testing.B, engine b2bua.Handle) {
	r := run(b, `
local targets = { ["+49"] = "pbx", ["+1"] = "carrier" }
M.params = { pbx = { type = "trunk", default = "pbx" } }
function M.on_invite(call)
  local user = call.req.uri.user
  if not user then return b2b.reject(484) end
  local trunk = targets[user:sub(1, 3)] or call.params.pbx
  return b2b.route { to = { trunk = trunk, user = user }, ring = 30 }
end
function M.on_branch(call, leg, req)
  req.h["X-Account"] = call.source.trunk
  req.h["P-Asserted-Identity"] = nil
  req.uri.params.user = "phone"
  if leg.trunk.name ~= "pbx" then return b2b.skip() end
end
function M.on_failure(call, leg, res)
  if res.status == 503 and not leg.rang then return b2b.next() end
end
M.responses = b2b.response_map { [503] = 480, ["6xx"] = 486 }`)
	req, res := invite(b), answerTo(b, 503)
	view := r.call(b).view
	leg := r.call(b).legB()
	b.ReportAllocs()
	for b.Loop() {
		c := r.Router(engine)
		if d := c.Invite(context.Background(), view); d.Decision == nil {
			b.Fatal(r.log)
		}
		c.Branch(view, leg, req.Clone())
		if d := c.Failure(context.Background(), view, leg, res.Clone(), b2bua.OriginPeer); d.Decision == nil {
			b.Fatal(r.log)
		}
		c.Final(view, res.Clone(), b2bua.OriginPeer)
		c.Close()
	}
}
