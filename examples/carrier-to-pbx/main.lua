-- One office: a PBX with extensions of three digits behind one number block of
-- one carrier. Numbers are translated on the way, both ways.
local dial = require "dial"

local M = {}

M.params = {
  carrier = { type = "trunk", default = "carrier" },
  pbx = { type = "trunk", default = "pbx" },
  country = { type = "string", default = "DE" },
  code = { type = "string", default = "49", doc = "of the country" },
  block = { type = "string", default = "+493023125", doc = "our numbers, less the extension" },
}

function M.on_invite(call)
  local p, dialled = call.params, call.req.uri.user
  if not dialled then
    return b2b.reject(484)
  end
  if call.source.trunk == p.carrier then
    local extension = dial.extension(dialled, p)
    if not extension then
      return b2b.reject(404)
    end
    return b2b.route { to = { trunk = p.pbx, user = extension } }
  end
  local number = dial.outside(dialled, p)
  if not number then
    return b2b.reject(484, "Not a number")
  end
  return b2b.route { to = { trunk = p.carrier, user = number } }
end

-- The host of our side as a neighbour knows it, without the port.
local function our_host(leg)
  return leg.local_host:match("^(.+):%d+$")
end

-- The carrier wants to know who calls, as one of our numbers and nothing else.
local function introduce(call, leg, req)
  local p = call.params
  local caller = call.req.identity.uri.user or ""
  local extension = dial.extension(caller, p) or "000"
  local identity = b2b.uri("sip:" .. p.block .. extension .. "@" .. our_host(leg))
  req.h["P-Asserted-Identity"] = "<" .. tostring(identity) .. ">"
  req.h:drop { "P-Preferred-Identity", "Remote-Party-ID" }
  if call.req.privacy then
    req.from:anonymize() -- the carrier knows, whom it rings does not
  else
    req.from.display = nil
    req.from.uri = identity
  end
  req.to.uri = req.uri
end

-- The phones show numbers that can be dialled back.
local function present(call, req)
  local p = call.params
  if req.from.uri.user then
    req.from.uri.user = dial.inside(req.from.uri.user, p)
  end
  local asserted = req.h:addr("P-Asserted-Identity")
  if asserted and asserted.uri.user then
    asserted.uri.user = dial.inside(asserted.uri.user, p)
  end
  req.h["X-Line"] = call.source.trunk
  local audio = req.sdp and req.sdp.audio
  if audio then
    audio:prefer { "G722", "PCMA" }
  end
end

function M.on_branch(call, leg, req)
  if leg.trunk.name == call.params.carrier then
    introduce(call, leg, req)
  else
    present(call, req)
  end
end

-- Who answers is told as well: the carrier by number, the PBX as it dials.
local function connected(call, _, res)
  local asserted = res.h:addr("P-Asserted-Identity")
  local user = asserted and asserted.uri.user
  if not user then
    return
  end
  if call.source.trunk == call.params.carrier then
    asserted.uri.user = dial.outside(user, call.params) or user
    asserted.uri.host = our_host(call.a)
    asserted.display = nil
  else
    asserted.uri.user = dial.inside(user, call.params)
  end
end

M.on_progress = connected
M.on_answer = connected

return M
