---@meta b2b.test

---@alias b2b.test.stub { http?: string, redis?: string, sql?: string, dns?: string, values?: any[], answer?: any|(fun(look: { kind: string, key: string, body?: string, values?: any[] }): any, string?), rows?: table[], error?: string, after?: number|string }

---@class b2b.test
local t = {}

---One test, with an engine, scripts and a store of its own, on virtual time.
---@param name string
---@param fn fun()
function t.it(name, fn) end

---Places a call. from_trunk = false is a source that nobody knows, sdp = false or body = false no body; file is an
---INVITE as text beside the tests, text the same in the test, pcap a capture of which call_id or number picks one. With auth the caller answers a challenge.
---@param call { to?: string, from?: string, from_trunk?: string|false, headers?: table<string, string|string[]>, body?: string|false, sdp?: string|false, file?: string, text?: string, pcap?: string, call_id?: string, number?: string, id?: string, auth?: { user: string, password: string } }
---@return b2b.test.call
function t.invite(call) end

---Sends a request outside any call. A REGISTER goes to the domain of to, for to.
---@param request { method: string, to: string, from?: string, from_trunk?: string|false, headers?: table<string, string|string[]>, body?: string|false, id?: string, auth?: { user: string, password: string } }
---@return b2b.test.call
function t.request(request) end

---Answers look-ups of the scripts: a stub, a list of them, or the name of a file of stubs beside the tests. A key may have *.
---Without a stub a look-up fails. Stubs of one key in one list answer in turn, and the last stays.
---@param stubs b2b.test.stub|b2b.test.stub[]|string
function t.stub(stubs) end

---The last decision of a call, or of one of its hooks; nil: none. text is all of it, as the ladder shows it.
---@param call b2b.test.call
---@param hook? string on_invite ...
---@return { hook: string, action: string, text: string, file?: string, line?: integer }?
function t.decision(call, hook) end

---All messages of a call that came to the engine or left it, in their order. leg is "a", "b1", "b2" ...; at is in seconds since the call began.
---@param call b2b.test.call
---@return { leg: string, sent: boolean, at: number, text: string, message: message }[]
function t.wire(call) end

---Lets time pass.
---@param seconds number
function t.advance(seconds) end

---@param got any
---@param want any
---@param text? string
function t.eq(got, want, text) end

---@param value any
---@param text? string
function t.ok(value, text) end

---@param value any
---@param pattern string
---@param text? string
function t.match(value, pattern, text) end

---@param fn fun()
---@param pattern? string of the error
---@param text? string
function t.raises(fn, pattern, text) end

---@class b2b.test.call
local call = {}

---The caller.
---@return b2b.test.leg
function call:a() end

---The n-th callee that was invited.
---@param n integer
---@return b2b.test.leg
function call:b(n) end

---How many callees were invited.
---@return integer
function call:attempts() end

---The final response to the caller, or nil.
---@return message?
function call:final() end

---@class b2b.test.leg
local leg = {}

---Answers the last request that is open, or sends one. body = false is none.
---@param what integer|string a code or a method
---@param headers? table<string, string|string[]>
---@param body? string|false
function leg:send(what, headers, body) end

---The last such message, or nil.
---@param what? integer|string a code or a method
---@return message?
function leg:received(what) end

---The final response to the caller, or nil.
---@return message?
function leg:final() end

return t
