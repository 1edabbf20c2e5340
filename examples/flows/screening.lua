-- Call screening, RFC 5359 sections 2.13 and 2.14: who may call whom.
local people = require "people"

local screening = {}

-- asks says whether it must be known who calls.
function screening.asks(name)
  return people[name].knows ~= nil
end

-- refuses says whether an account may not call. Whom nobody has screened may call
-- everybody who has not either.
function screening.refuses(account, name)
  local caller, callee = people[account], people[name]
  return callee.knows and not callee.knows[account] or caller and caller.may_call and not caller.may_call[name]
end

return screening
