-- Two carriers share the calls seven to three, a third is there for the day when
-- both are down. Nobody's phone rings twice for one call.
local M = {}

M.params = {
  lines = { type = "number", default = 30, doc = "calls at once of one neighbour" },
}

local carriers = {
  { trunk = "carrier-a", weight = 7 },
  { trunk = "carrier-b", weight = 3 },
  { trunk = "reserve", backup = true },
}

function M.on_invite(call)
  local number = call.req.uri.user
  if not number then
    return b2b.reject(484)
  end
  if not b2b.limit.concurrent("lines of " .. call.source.trunk, call.params.lines) then
    return b2b.reject(503, "All lines busy", { ["Retry-After"] = "10" })
  end
  local targets = {}
  for i, carrier in ipairs(carriers) do
    targets[i] = {
      trunk = carrier.trunk,
      user = number,
      weight = carrier.weight,
      -- One that has asked for a rest (on_failure, below) comes last.
      backup = carrier.backup or not b2b.trunk.up(carrier.trunk),
    }
  end
  return b2b.route {
    to = targets,
    strategy = "weighted", -- drawn by weight; those marked backup after the others
    try = 4, -- seconds to a sign of life
    ring = 45, -- seconds from there to an answer
    budget = 70, -- for all of it
    retry = { "5xx", 408, "timeout", "transport", "dns" },
  }
end

function M.on_failure(call, leg, res)
  if leg.rang then
    -- Somebody heard it. Whatever went wrong then, another carrier would only
    -- ring the same phone again.
    return b2b.fail(res)
  end
  if res.status == 503 and res.origin == "peer" then
    -- "Not now", RFC 3261 section 21.5.4: the next calls leave it alone for so
    -- long as it asks, within reason.
    local seconds = math.max(1, math.min(res.retry_after or 10, 120))
    leg.trunk:penalize(seconds)
    call:note("%s rests for %d s", leg.trunk.name, seconds)
  end
  return nil -- the next one, if the code is in retry
end

-- The PBX need not know which carrier quarrels with which switch. It tells the
-- caller by these codes: busy, no such number, or "try again".
M.responses = b2b.response_map {
  [{ 480, 486, 487 }] = false, -- true as they are
  [{ 404, 410, 484, 604 }] = { 404, "No such number", q850 = 1 },
  [{ 600, 603 }] = { 486, "Busy Here" },
  ["5xx"] = { 503, "No carrier", q850 = 42, headers = { ["Retry-After"] = "5" } },
  -- Made here, not by a carrier: our own refusals stay as they were said.
  { from = "*", origin = "local", to = false },
}

function M.on_end(_, record)
  record.tries = #record.attempts
end

return M
