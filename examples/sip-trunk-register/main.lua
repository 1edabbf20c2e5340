-- A PBX behind one account at a carrier. The engine registers and answers
-- challenges; this translates between extensions and direct-dial numbers.
local numbers = require "numbers"

local M = {}

M.params = {
  domain = { type = "string", default = "carrier.example", doc = "of the carrier" },
  country = { type = "string", default = "DE", doc = "where numbers are dialled that have no country code" },
  main = { type = "string", default = "+4930231250", doc = "shown for extensions without a number" },
}

local extensions = {}
for number, extension in pairs(numbers) do
  extensions[extension] = number
end

local function e164(text, country)
  local number = text and b2b.number.parse(text, country)
  return number and number.e164
end

-- A call from the carrier comes to the Contact that we registered, so that its
-- Request-URI may have the account where others have the number. Then that is in
-- P-Called-Party-ID (RFC 7315) or To.
local function extension_for(call)
  local req = call.req
  local places, called = { req.uri, req.to.uri }, req.h:addr("P-Called-Party-ID")
  if called then
    table.insert(places, 2, called.uri)
  end
  for _, uri in ipairs(places) do
    local extension = numbers[e164(uri.user, call.params.country)]
    if extension then
      return extension
    end
  end
end

function M.on_invite(call)
  local p = call.params
  if call.source.trunk == "carrier" then
    local extension = extension_for(call)
    if not extension then
      return b2b.reject(404)
    end
    return b2b.route { to = { trunk = "pbx", user = extension } }
  end
  local dialled = call.req.uri.user
  local number = (dialled == "110" or dialled == "112") and dialled or e164(dialled, p.country)
  if numbers[number] then -- one of ours: the carrier has no part in it
    return b2b.route { to = { trunk = "pbx", user = numbers[number] } }
  end
  if not number then
    return b2b.reject(484, "Not a number")
  end
  return b2b.route { to = { trunk = "carrier", user = number, host = p.domain } }
end

-- The carrier believes who calls when it is one of our numbers.
function M.on_branch(call, leg, req)
  if leg.trunk.name ~= "carrier" then
    return
  end
  local p = call.params
  local own = extensions[call.req.identity.uri.user] or p.main
  req.from = b2b.addr { uri = "sip:" .. own .. "@" .. p.domain }
  req.to.uri = req.uri
  req.h["P-Asserted-Identity"] = "<sip:" .. own .. "@" .. p.domain .. ">"
  req.h:drop { "P-Preferred-Identity", "Remote-Party-ID" }
end

return M
