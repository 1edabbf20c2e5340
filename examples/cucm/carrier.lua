-- For Cisco CUCM, on the trunk to a carrier; Legwork runs it as it is.
M = {}

trace.enable()

local mask = scriptParameters.getValue("Diversion-Mask")
local domain = scriptParameters.getValue("top-level-domain")

-- The carrier knows our numbers by their main number.
function hideExtension(msg)
    if mask then
        msg:applyNumberMask("Diversion", mask)
    end
end

-- It wants our domain in From, not an address.
function ourDomain(msg)
    local from = msg:getHeader("From")
    if from and domain then
        msg:modifyHeader("From", (from:gsub("@[^>;]+", "@" .. domain)))
    end
end

function M.outbound_INVITE(msg)
    local method, ruri, version = msg:getRequestLine()
    local user = string.match(ruri, "sip:(.+)@")
    if user == "911" then
        trace.format("%s to %s goes as it is", method, ruri)
        msg:removeHeader("Diversion")
        return
    end
    hideExtension(msg)
    ourDomain(msg)
    if msg:isReInviteRequest() then
        local sdp = msg:getSdp()
        if sdp and sdp:getLine("a=", "inactive") then
            msg:setSdp(sdp:modifyLine("a=", "inactive", "a=sendrecv"))
        end
    end
end

-- It plays its announcements with a 180, which phones ignore.
function M.inbound_180_INVITE(msg)
    if msg:getSdp() then
        msg:setResponseCode(183, "Session Progress")
    end
end

-- Whose call it is: for the PBX, whatever the headers that cross are.
M.allowHeaders = {"X-Account"}

function M.inbound_INVITE(msg)
    local account = msg:getHeader("X-Account")
    if account then
        pt = msg:getPassThrough()
        pt:addHeader("X-Account", account)
    end
end

return M
