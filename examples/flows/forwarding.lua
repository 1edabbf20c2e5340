-- Call forwarding and find-me, RFC 5359 sections 2.7, 2.8, 2.9 and 2.12: whom to
-- ring for whom, and when to give up on one for the next.
local people = require "people"

local forwarding = {}

-- chain lists the people to ring one after the other.
function forwarding.chain(name)
  local callee = people[name]
  if callee.always then
    return { callee.always }
  end
  if callee.find_me then
    return callee.find_me
  end
  return { name, callee.busy or callee.no_answer }
end

-- patience is how many seconds a phone rings.
function forwarding.patience(name)
  local callee = people[name]
  return (callee.no_answer or callee.find_me) and 20 or 60
end

-- moves_on says whether a failure is one that the callee wants to be looked for
-- after. It may come from a phone that has rung: that is what they asked for.
function forwarding.moves_on(name, res)
  local callee = people[name]
  local busy = res.status == 486 or res.status == 600
  local silent = res.origin == "timeout" or res.status == 480 or res.status == 408
  return busy and (callee.busy or callee.find_me) or silent and (callee.no_answer or callee.find_me)
end

return forwarding
