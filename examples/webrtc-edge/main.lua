-- Browsers that have registered, and a PBX. Numbers go to the PBX, names to
-- browsers, whoever calls them.
local M = {}

M.params = {
  pbx = { type = "trunk", default = "pbx" },
  domain = { type = "string", default = "web.example", doc = "host of the browsers' addresses" },
}

local function address(call, user)
  return "sip:" .. user .. "@" .. call.params.domain
end

function M.on_invite(call)
  local callee = call.req.uri.user
  if not callee then
    return b2b.reject(484)
  end
  if callee:find("^%+?%d+$") then
    return b2b.route { to = { trunk = call.params.pbx, user = callee } }
  end
  return b2b.route { to = { aor = address(call, callee) } }
end

function M.on_branch(call, leg, req)
  if call.source.account then
    -- A page writes into From what it likes; what it has proven is its account.
    req.from.uri = b2b.uri(address(call, call.source.account))
  end
  if leg.trunk and req.sdp then
    req.sdp:strip { "video" } -- telephones have no screen
  end
end

return M
