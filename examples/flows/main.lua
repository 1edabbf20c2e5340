-- The proxies of RFC 3665 and RFC 5359: people who call each other, some of whom
-- have services. The same script runs in both proxies; their trunks differ.
local people = require "people"
local forwarding = require "forwarding"
local screening = require "screening"

local M = {}

M.params = {
  authenticate = { type = "boolean", default = false, doc = "calls of this neighbour are challenged" },
  refer = { type = "string", default = "pass", doc = "local: REFERs of calls from this neighbour are obeyed here" },
  alg = { type = "string", default = "", doc = "where RTP of this neighbour goes, as an application level gateway has it" },
}

local function set(list)
  local s = {}
  for _, one in ipairs(list) do
    s[one] = true
  end
  return s
end

-- reach finds a person's phone: it is a neighbour of ours, or one of the proxy of
-- their domain, or it has registered here.
local function reach(name)
  local person, known = people[name], set(b2b.trunk.list())
  if known[person.phone] then
    return { trunk = person.phone, user = person.phone, try = 33 }
  end
  if known[person.domain] then
    return { trunk = person.domain, user = name, try = 35 } -- a proxy waits for its phones
  end
  return { aor = "sip:" .. name .. "@biloxi.example.com" }
end

function M.on_invite(call)
  local name = call.req.uri.user
  local callee = name and people[name]
  if not callee then
    return b2b.reject(404)
  end
  if not call.source.account and (call.params.authenticate or screening.asks(name)) then
    return b2b.challenge { code = 407 }
  end
  if screening.refuses(call.source.account, name) then
    return b2b.reject(403, "Screening Failure")
  end
  if callee.moved then
    return b2b.redirect { contact = callee.moved }
  end
  local targets = {}
  for i, one in ipairs(forwarding.chain(name)) do
    targets[i] = reach(one)
  end
  return b2b.route { to = targets, ring = forwarding.patience(name), refer = call.params.refer }
end

-- Subscriptions and REFERs outside calls go to whom they are for.
function M.on_subscribe(txn)
  local name = txn.req.uri.user
  if not name or not people[name] then
    return b2b.reject(404)
  end
  return b2b.route { to = reach(name) }
end

function M.on_other(txn)
  return txn.req.method == "REFER" and M.on_subscribe(txn) or nil
end

function M.on_failure(call, _, res)
  if forwarding.moves_on(call.req.uri.user, res) then
    return b2b.next()
  end
  return nil
end

-- The gateway of RFC 3665 section 3.5: RTP of both sides goes to it, whose ports
-- are those of the phones.
local function through_gateway(call, message)
  if call.params.alg ~= "" and message.sdp then
    message.sdp.connection = call.params.alg
  end
end

function M.on_branch(call, _, req)
  through_gateway(call, req)
end

function M.on_answer(call, _, res)
  through_gateway(call, res)
end

-- A phone that answers nothing is one that is not there (RFC 3665 section 3.10).
M.responses = b2b.response_map {
  { from = "*", origin = "timeout", to = { 480, "No Response" } },
  { from = "*", origin = "transport", to = { 480, "No Response" } },
}

return M
