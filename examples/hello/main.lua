-- Hello: one neighbour calls, another is called, and three things are decided
-- on the way: where the call goes, what its headers say, and what a failure is
-- called.
local M = {}

M.params = { pbx = { type = "trunk", default = "pbx" } }

-- Where to? 4xxx are the extensions of the PBX; everybody else is unknown.
function M.on_invite(call)
  local user = call.req.uri.user
  if not user then
    return b2b.reject(484)
  end
  if not user:match("^4%d%d%d$") then
    return b2b.reject(404, "No such extension")
  end
  return b2b.route { to = { trunk = call.params.pbx, user = user } }
end

-- What does the callee see? The engine has built the INVITE; this edits it.
function M.on_branch(call, _, req)
  req.h["X-Legwork"] = "hello"
  req.h["X-Came-From"] = call.source.ip
  req.from.display = "Hello " .. (req.from.uri.user or "caller")
end

-- What does the caller hear? A busy phone is told as unavailable.
M.responses = b2b.response_map {
  [486] = { 480, "Busy, please call later" },
}

return M
