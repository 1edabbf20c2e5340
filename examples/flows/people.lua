-- Who there is: the trunk that leads to their phone, the trunk of their domain's
-- proxy, and the services that they have subscribed to. There is a Bob for each
-- service of RFC 5359, because one can't be busy and away.
local people = {
  alice = { phone = "alice", domain = "atlanta" },
  bob = {},
  carol = { phone = "carol" },
  bill = { phone = "bill" },
  park = { phone = "park" }, -- the park server of RFC 5359, 2.15
  music = { phone = "music" }, -- the music server of 2.3

  ["bob.moved"] = { moved = "sip:bob@192.0.2.233:5060" }, -- RFC 3665, 3.6
  ["bob.always"] = { always = "carol" }, -- RFC 5359, 2.7
  ["bob.busy"] = { busy = "carol" }, -- 2.8
  ["bob.away"] = { no_answer = "carol" }, -- 2.9
  ["bob.anywhere"] = { find_me = { "bob", "carol", "desk" } }, -- 2.12
  ["bob.private"] = { knows = { alice = true } }, -- 2.13
  junior = { phone = "alice", may_call = { bob = true } }, -- 2.14
  desk = { phone = "desk" },
}

for _, person in pairs(people) do
  person.phone = person.phone or "bob"
  person.domain = person.domain or "biloxi"
end

return people
