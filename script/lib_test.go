package script

import (
	"reflect"
	"testing"

	"legwork/b2bua"
)

func TestAConcurrencyLimitIsReleasedWhenTheCallEnds(t *testing.T) {
	r := run(t, `
function M.on_invite(call)
  if not b2b.limit.concurrent("customer", 1) then return b2b.reject(486) end
  return b2b.limit.concurrent("customer", 1) and b2b.reject(480) or nil
end`)
	first, second := r.call(t), r.call(t)
	defer first.Close()
	defer second.Close()
	for c, want := range map[*call]int{first: 480} {
		if d := c.invite(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: want}) {
			t.Errorf("%#v, want %d", d, want)
		}
	}
	if d := second.invite(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 486}) {
		t.Errorf("over the limit: %#v", d)
	}
	for _, end := range first.engine.ends {
		end()
	}
	if d := second.invite(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 480}) {
		t.Errorf("not released: %#v %s", d, r.log)
	}
}

func TestTheLibrariesAreThere(t *testing.T) {
	r, err := try(t, map[string]string{"prefixes.csv": "prefix,trunk\n49,pbx\n4930,carrier\n", "main.lua": `
local prefixes = b2b.table.load("prefixes.csv")
return {on_invite = function(call)
  assert(prefixes:longest("4930123").trunk == "carrier")
  b2b.store:set("k", {1, 2}, 60)
  assert(b2b.store:get("k")[2] == 2)
  assert(b2b.number.parse("030 123456", "DE").e164 == "+4930123456")
  assert(b2b.json.encode({a = 1}) == '{"a":1}' and b2b.q850.to_sip(17) == 486 and #b2b.uuid() == 36)
  assert(b2b.codes.name(486) == "Busy Here")
  return b2b.route{to = {trunk = prefixes:longest("49891").trunk}}
end}`})
	if err != nil {
		t.Fatal(err)
	}
	c := r.call(t)
	defer c.Close()
	if d := c.invite(); !reflect.DeepEqual(d.Decision, b2bua.Route{Targets: []b2bua.Target{{Trunk: "pbx"}}}) {
		t.Errorf("%#v", d)
	}
	_, err = try(t, map[string]string{"main.lua": `b2b.table.load("../x.csv") return {}`})
	wantIn(t, err.Error(), "main.lua:1:", "../x.csv")
}
