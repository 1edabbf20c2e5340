-- Telephone numbers, as far as the default script needs them.
local numbers = {}

-- e164 writes a number as +49301234567, when a country is given and the number
-- is a possible one there or begins with "+". Extensions and short codes (up to
-- five digits) and whatever is not a number stay as they are.
function numbers.e164(text, country)
  if country == "" or text:match("^%d?%d?%d?%d?%d$") or not text:match("^%+?[%d%-%.%(%)]+$") then
    return text
  end
  local number = b2b.number.parse(text, country)
  return number and number.e164 or text
end

return numbers
