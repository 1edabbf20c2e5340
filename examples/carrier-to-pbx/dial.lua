-- Numbers as the carrier writes them (E.164: +493023125211) and as the PBX and
-- its phones do: 211 for an extension, 030... at home, 0044... abroad.
local dial = {}

local short = { ["110"] = true, ["112"] = true } -- emergency: dialled as they are

-- outside is what goes to the carrier, or nil for what is no number.
function dial.outside(text, site)
  if short[text] then
    return text
  end
  if text:match("^%d%d%d$") then
    return site.block .. text
  end
  local number = b2b.number.parse(text, site.country)
  return number and number.e164
end

-- extension is the end of one of our own numbers, or nil.
function dial.extension(text, site)
  local number = dial.outside(text, site)
  if number and number:sub(1, #site.block) == site.block then
    return number:sub(#site.block + 1):match("^%d%d%d$")
  end
  return nil
end

-- inside is how the PBX would dial a number to call it back.
function dial.inside(text, site)
  local own = dial.extension(text, site)
  if own then
    return own
  end
  local number = b2b.number.parse(text, site.country)
  if not number then
    return text -- such as "anonymous"
  end
  local digits = number.e164:sub(2)
  if digits:sub(1, #site.code) == site.code then
    return "0" .. digits:sub(#site.code + 1)
  end
  return "00" .. digits
end

return dial
