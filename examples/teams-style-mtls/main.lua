-- Between a PBX and a telephone system in the cloud. What the cloud insists on is
-- in legwork.yaml: certificates, our name in Contact, OPTIONS, session timers and
-- +49 numbers. Nothing here looks at SDP, so that ICE and SRTP stay end to end.
local M = {}

M.params = {
  cloud = { type = "trunk", default = "cloud" },
  pbx = { type = "trunk", default = "pbx" },
}

function M.on_invite(call)
  local user, p = call.req.uri.user, call.params
  if not user then
    return b2b.reject(484)
  end
  if call.source.trunk == p.cloud then
    call:note("certificate of %s", call.source.tls_name)
    return b2b.route { to = { trunk = p.pbx, user = user } }
  end
  return b2b.route {
    to = { trunk = p.cloud, user = user },
    try = 3, -- seconds for each of its places, the first of which is the nearest
    retry = { 408, 500, 502, 503, 504, "timeout", "transport", "dns" },
  }
end

-- The cloud knows its customers by the name in their URIs.
local function ours(uri, leg)
  uri.host, uri.port = leg.local_host:match("^(.+):%d+$"), nil
end

function M.on_branch(call, leg, req)
  if leg.trunk.name ~= call.params.cloud then
    return
  end
  ours(req.from.uri, leg)
  local asserted = req.h:addr("P-Asserted-Identity")
  if asserted then
    ours(asserted.uri, leg)
  end
end

return M
