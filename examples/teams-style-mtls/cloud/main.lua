local M = {}

local other = { customer = "telephones", telephones = "customer" }

function M.on_invite(call)
  local to = other[call.source.trunk]
  return to and b2b.route { to = { trunk = to, user = call.req.uri.user } }
end

return M
