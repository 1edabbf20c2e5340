-- For Cisco CUCM, on the trunk to a PBX; Legwork runs it as it is.
local M = {}

function M.outbound_INVITE(msg)
    -- It takes G.729 with annex B for another codec.
    local sdp = msg:getSdp()
    if sdp and sdp:getLine("a=rtpmap", "G729") and not sdp:getLine("a=fmtp:18", "annexb") then
        msg:setSdp(sdp:insertLineAfter("a=rtpmap", "G729", "a=fmtp:18 annexb=no"))
    end
    msg:getContext().account = msg:getHeader("X-Account")
end

-- The failures that it makes up are not for the carrier.
function M.inbound_4XX_INVITE(msg)
    local version, status, reason = msg:getResponseLine()
    if status == 488 then
        msg:setResponseCode(480, "Temporarily Unavailable")
    end
    msg:removeHeader("Warning")
end

return M
