-- The profile of the carrier's trunk: the last word on every message that goes
-- to it, whichever call it belongs to. Exactly one entry runs for a message, the
-- most specific.
local function clean(msg)
  msg.h:drop { "X-*" }
  if msg.h:has("User-Agent") then
    msg.h["User-Agent"] = "Office"
  end
  if msg.h:has("Server") then
    msg.h["Server"] = "Office"
  end
end

-- The carrier takes G.711 and nothing else: in its own order, and in each offer,
-- re-INVITEs included.
local function offer(msg)
  clean(msg)
  local audio = msg.sdp and msg.sdp.audio
  if audio then
    audio:keep { "PCMA", "PCMU", "telephone-event" }
    audio:prefer { "PCMA", "PCMU" }
  end
end

return {
  outbound = {
    ["INVITE"] = offer,
    ["UPDATE"] = offer,
    ["* *"] = clean,
  },
}
