-- Least-cost routing. A web service knows which carriers take a number and for
-- how much; a table of prefixes stands in when nobody can ask it.
local M = {}

M.params = {
  country = { type = "string", default = "DE", doc = "where numbers are dialled that have no country code" },
}

local service = b2b.http.client {
  base = b2b.env("LEGWORK_LUA_LCR") or "http://127.0.0.1:8080",
  timeout = 0.5, -- the caller waits for it
  cache = {
    ttl = 300, -- prices may change so often
    stale = 86400, -- while the service is away, old prices are better than none
    negative = 60, -- of a 404: nobody takes the number
  },
  breaker = { failures = 5, window = 10, open = 30 }, -- then it is left alone for 30 s
}

local prefixes = b2b.table.load("prefixes.csv")

-- A carrier that the configuration does not name yet is passed over.
local known = {}
for _, name in ipairs(b2b.trunk.list()) do
  known[name] = true
end

-- cheapest reads {"offers": [{"carrier": "carrier-a", "price": 0.01}, ...]} and
-- gives targets, the cheapest first; nil for anything else.
local function cheapest(json, number)
  local offers = type(json) == "table" and json.offers
  if type(offers) ~= "table" then
    return nil
  end
  local targets = {}
  for _, offer in ipairs(offers) do
    if type(offer) == "table" and known[offer.carrier] and type(offer.price) == "number" then
      targets[#targets + 1] = { trunk = offer.carrier, user = number, cdr = { price = offer.price } }
    end
  end
  table.sort(targets, function(a, b)
    return a.cdr.price < b.cdr.price
  end)
  return targets
end

-- asked is what the service says, and whether it said so now; nil and why when it
-- can't be asked or says something else.
local function asked(number)
  local answer, err = service:get("/offers", { query = { number = number } })
  if not answer then
    return nil, err
  end
  local from = answer.cached and "cache" or "service"
  if answer.status == 404 then
    return {}, from
  end
  local targets = answer.ok and cheapest(answer.json, number)
  if not targets then
    return nil, "answer " .. answer.status
  end
  return targets, from
end

-- listed is what the table says.
local function listed(number)
  local row, targets = prefixes:longest(number), {}
  if not row then
    return targets
  end
  for _, name in ipairs { row.first, row.second } do
    if known[name] then
      targets[#targets + 1] = { trunk = name, user = number }
    end
  end
  return targets
end

function M.on_invite(call)
  local number = b2b.number.parse(call.req.uri.user or "", call.params.country)
  if not number then
    return b2b.reject(484, "Not a number")
  end
  local targets, by = asked(number.e164)
  if not targets then
    call:note("prices are not known: %s", by)
    targets, by = listed(number.e164), "table"
  end
  call.data.routed_by = by -- goes to the record
  if #targets == 0 then
    return b2b.reject(404, "No carrier takes it")
  end
  return b2b.route { to = targets, try = 4 }
end

return M
