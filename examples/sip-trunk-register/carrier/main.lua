local M = {}

function M.on_invite(call)
  if call.source.trunk == "world" then
    return b2b.route { to = { aor = "sip:acct@carrier.example" } }
  end
  if not call.source.account then
    return b2b.challenge { code = 407 }
  end
  return b2b.route { to = { trunk = "world", user = call.req.uri.user } }
end

-- The customer's Contact has no number: this tells it.
function M.on_branch(call, _, req)
  if call.source.trunk == "world" then
    req.h["P-Called-Party-ID"] = "<sip:" .. (call.req.uri.user or "") .. "@carrier.example>"
  end
end

return M
