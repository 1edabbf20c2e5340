-- Routes by prefix: a list of "PREFIX TRUNK [TRUNK ...]", read once and asked
-- for each call.
local routes = {}

local function set(list)
  local all = {}
  for _, v in ipairs(list) do
    all[v] = true
  end
  return all
end

-- read makes a table of trunks by prefix. Trunks that are not there are left
-- out, with a warning: a call that one of them should get is better tried on the
-- others.
function routes.read(list, known)
  local there, by_prefix = set(known), {}
  for _, line in ipairs(list) do
    local prefix, rest = line:match("^%s*(%S+)%s+(.+)$")
    if not prefix then
      b2b.log.warn("route %q is not PREFIX TRUNK [TRUNK ...]", line)
    else
      local trunks = {}
      for name in rest:gmatch("%S+") do
        if there[name] then
          trunks[#trunks + 1] = name
        else
          b2b.log.warn("route %q names trunk %q, which is not configured", line, name)
        end
      end
      by_prefix[prefix] = trunks
    end
  end
  return by_prefix
end

-- find gives the longest prefix of a number and its trunks, or nil.
function routes.find(by_prefix, number)
  for length = #number, 1, -1 do
    local prefix = number:sub(1, length)
    local trunks = by_prefix[prefix]
    if trunks and #trunks > 0 then
      return prefix, trunks
    end
  end
  if by_prefix["*"] and #by_prefix["*"] > 0 then
    return "*", by_prefix["*"]
  end
  return nil
end

return routes
