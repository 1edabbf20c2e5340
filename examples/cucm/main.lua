-- The PBX calls out, the carrier calls in. What the messages look like on each
-- side is the business of the trunks' own scripts.
local M = {}

function M.on_invite(call)
  local to = call.source.trunk == "pbx" and "carrier" or "pbx"
  return b2b.route { to = { trunk = to, user = call.req.uri.user } }
end

return M
