-- What Legwork does with a call when the configuration names no script: it is
-- built into the program, and `legwork init` writes a copy to start from.
--
-- A neighbour's calls go where the params of its trunk say:
--
--   trunks:
--     office:
--       params:
--         country: DE
--         routes: ["4 pbx", "+49 carrier-a carrier-b", "* carrier-b"]
--
-- Each route is a prefix of the number and the trunks to try, in this order;
-- the longest prefix wins and "*" is any number. With a country, numbers are
-- compared and sent in E.164 (+49301234567). What no route fits goes to the
-- configuration's default_route, or gets 404.
local numbers = require "numbers"
local routes = require "routes"

local M = {}

M.params = {
  routes = { type = "list", default = {}, doc = "PREFIX TRUNK [TRUNK ...]" },
  country = { type = "string", default = "", doc = "two letters; empty: numbers stay as dialled" },
}

-- Reading the routes takes longer than using them: once for each trunk, not
-- once for each call. A variable like this lives as long as this version of the
-- scripts; what belongs to a call goes into call.data.
local read = {}

local function routes_of(call)
  local name = call.source.trunk or ""
  if not read[name] then
    read[name] = routes.read(call.params.routes, b2b.trunk.list())
  end
  return read[name]
end

-- Where to?
function M.on_invite(call)
  local dialled = call.req.uri.user
  if not dialled then
    return b2b.reject(484) -- Address Incomplete
  end
  local number = numbers.e164(dialled, call.params.country)
  local prefix, trunks = routes.find(routes_of(call), number)
  if not prefix then
    return nil -- default_route, or 404
  end
  call.data.prefix = prefix -- ends up in the record of the call
  local targets = {}
  for i, trunk in ipairs(trunks) do
    targets[i] = { trunk = trunk, user = number }
  end
  return b2b.route { to = targets }
end

-- What does the callee's side see? The INVITE is built; this edits it.
function M.on_branch(call, leg, req)
  local country = call.params.country
  if country ~= "" and req.from.uri.user then
    req.from.uri.user = numbers.e164(req.from.uri.user, country)
  end
  -- Who asks for privacy (RFC 3323) gets it: a trunk is outside unless its
  -- configuration says privacy: {trust: true}.
  local trusted = leg.trunk and leg.trunk.trusted
  if not trusted and (call.req.privacy or ""):find("id", 1, true) then
    req.from:anonymize()
    req.h:drop { "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID" }
  end
end

-- A target failed: on to the next one, unless a phone rang. Then somebody was
-- there, and ringing again elsewhere is worse than saying so. (That is also what
-- happens without this hook.)
function M.on_failure(_, leg, res)
  if leg.rang then
    return b2b.fail(res)
  end
  return nil -- the next target, if the code is worth it; else fail
end

-- What does the caller hear? The neighbours' quarrels with us are not theirs.
M.responses = b2b.response_map {
  { from = { 401, 403, 407 }, origin = "peer", to = { 503, "Service Unavailable" } },
  { from = { 500, 502, 504 }, origin = "peer", to = { 503, "Service Unavailable" } },
  [600] = { 486, "Busy Here" },
  [604] = { 404, "Not Found" },
}

return M
