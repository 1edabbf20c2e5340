package script

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/digest"
	"legwork/script/lua"
)

// signed is a REGISTER with credentials of these users for a realm.
func (r *rig) signed(t testing.TB, header, realm string, users ...string) *call {
	c := r.outside(t, "REGISTER")
	for _, user := range users {
		c.view.Request.Add(header, fmt.Sprintf(`Digest username="%s", realm="%s", nonce="n", uri="sip:sbc.example", response="00"`, user, realm))
	}
	return c
}

func wantChallenge(t *testing.T, r *rig, d b2bua.Decided) b2bua.Challenge {
	t.Helper()
	ch, ok := d.Decision.(b2bua.Challenge)
	if !ok {
		t.Fatalf("%#v %s", d, r.log)
	}
	return ch
}

const directory = `
local passwords = { alice = "wonderland", carol = false }
local function users(user, realm)
  b2b.store:incr("looked up " .. user .. " of " .. realm)
  if user == "bob" then return { ha1 = ("AB"):rep(16) } end
  return passwords[user]
end
`

func TestUsersAreLookedUpByTheScript(t *testing.T) {
	r := run(t, directory+`
function M.on_register(txn)
  if txn.source.account then return b2b.accept() end
  return b2b.challenge { realm = "sbc.example", users = users }
end`)
	for user, want := range map[string]digest.Secret{
		"alice": {Password: "wonderland"}, "bob": {HA1: strings.Repeat("ab", 16)}, "carol": {}, "mallory": {},
	} {
		c := r.signed(t, "Authorization", "sbc.example", user)
		ch := wantChallenge(t, r, c.outside())
		got, known := ch.Users(user)
		if got != want || known != (want != digest.Secret{}) || ch.Realm != "sbc.example" || ch.Proxy {
			t.Errorf("%s: %+v, %v, %+v", user, got.Password, known, ch)
		}
		if _, ok := ch.Users("other"); ok {
			t.Errorf("%s proves another user", user)
		}
		c.Close()
	}
	c := r.outside(t, "REGISTER")
	defer c.Close()
	c.view.Source.Account = "alice"
	if d := c.outside(); !reflect.DeepEqual(d.Decision, b2bua.Accept{}) {
		t.Errorf("%#v", d)
	}
}

func TestUsersAreNotLookedUpWithoutCredentialsForTheRealm(t *testing.T) {
	r := run(t, directory+`
function M.on_register(txn) return b2b.challenge { realm = "sbc.example", users = users } end
function M.on_invite(call) return b2b.challenge { users = users, code = 407 } end
function M.on_publish(txn)
  assert(not b2b.store:get("looked up alice of sbc.example"), "looked up")
  return b2b.reply(200, nil, nil, tostring(b2b.store:get("looked up alice of legwork")))
end`)
	for _, c := range []*call{
		r.signed(t, "Authorization", "sbc.example"), r.signed(t, "Authorization", "other.example", "alice"),
		r.signed(t, "Proxy-Authorization", "sbc.example", "alice"), r.signed(t, "Authorization", "sbc.example", ""),
	} {
		ch := wantChallenge(t, r, c.outside())
		if ch.Users == nil {
			t.Error("the configured users would do")
		} else if _, known := ch.Users("alice"); known {
			t.Error("alice was looked up")
		}
		c.Close()
	}
	// A proxy's challenge is answered in another header, and without a realm it
	// is the configured one.
	c := r.signed(t, "Proxy-Authorization", "legwork", "alice")
	defer c.Close()
	ch := wantChallenge(t, r, c.invite())
	if _, known := ch.Users("alice"); !known || !ch.Proxy || ch.Realm != "" {
		t.Errorf("%+v", ch)
	}
	last := r.outside(t, "PUBLISH")
	defer last.Close()
	if d := last.outside(); !reflect.DeepEqual(d.Decision, b2bua.Reply{Code: 200, Body: []byte("1")}) {
		t.Errorf("%#v %s", d, r.log)
	}
}

func TestARequestWithManyCredentialsCostsFewLookUps(t *testing.T) {
	r := run(t, `
local asked = 0
function M.on_register(txn)
  return b2b.challenge { users = function() asked = asked + 1 return "password " .. asked end }
end`)
	users := []string{"u1", "u1", "u2", "u3", "u4", "u5", "u6"}
	c := r.signed(t, "Authorization", "legwork", users...)
	defer c.Close()
	ch := wantChallenge(t, r, c.outside())
	for user, want := range map[string]string{"u1": "password 1", "u4": "password 4", "u5": ""} {
		if got, _ := ch.Users(user); got.Password != want {
			t.Errorf("%s: %q", user, got.Password)
		}
	}
}

func TestAChallengeMayBeMadeOnceForAllRequests(t *testing.T) {
	r := run(t, directory+`
local sign = b2b.challenge { users = users }
function M.on_register(txn) return sign end`)
	for _, user := range []string{"alice", "bob", "alice"} {
		c := r.signed(t, "Authorization", "legwork", user)
		ch := wantChallenge(t, r, c.outside())
		if _, known := ch.Users(user); !known {
			t.Errorf("%s: not known", user)
		}
		c.Close()
	}
}

func TestAUsersFunctionThatFailsFailsItsHookAndShowsNoPassword(t *testing.T) {
	for body, want := range map[string]string{
		`error("no directory")`:                            `line=2 generation=`,
		`error({message = "no rows"})`:                     "no rows",
		`return 1234`:                                      "users returned a number; want the password, {ha1 = ...} or nil for an unknown user",
		`return true`:                                      "users returned a boolean",
		`return ""`:                                        "users returned an empty password",
		`return {password = "wonderland"}`:                 "users returned a table that is no {ha1 = ...} of 32 or 64 hex digits",
		`return {ha1 = "wonderland"}`:                      "of 32 or 64 hex digits",
		`return {ha1 = ("zz"):rep(16)}`:                    "of 32 or 64 hex digits",
		`return print`:                                     "users returned a function",
		`return b2b.uri("sip:wonderland@b.example")`:       "users returned a userdata",
		`while true do end`:                                "instructions",
		`return ("x"):rep(1e9)`:                            "over the limit of",
		`local function f() return 1 + f() end return f()`: "stack overflow",
		`return users.nothing`:                             "line=2",
	} {
		r := run(t, `local function users(user, realm) `+body+` end
function M.on_register(txn) return b2b.challenge { users = users } end
function M.on_invite(call) return b2b.challenge { users = users } end`)
		c, invited := r.signed(t, "Authorization", "legwork", "alice"), r.signed(t, "Authorization", "legwork", "alice")
		if d := c.outside(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 500}) || r.count("on_register") != 1 {
			t.Errorf("%s: %#v", body, d)
		}
		if _, ok := invited.invite().Decision.(b2bua.Failed); !ok || r.count("on_invite") != 1 {
			t.Errorf("%s: the INVITE was not failed", body)
		}
		c.Close()
		invited.Close()
		if got := r.log.String(); !strings.Contains(got, want) || strings.Contains(got, "wonderland") {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
		// Whatever it did, the next one is served.
		last := r.outside(t, "REGISTER")
		wantChallenge(t, r, last.outside())
		last.Close()
	}
}

func TestAUsersFunctionMayWaitUntilTheDeadlineOfItsHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `local wait = require "wait"
local function users(user) wait.seconds(tonumber(user)) return "password of " .. user end
function M.on_register(txn)
  wait.seconds(2)
  return b2b.challenge { users = users }
end`, withWait)
		c, late := r.signed(t, "Authorization", "legwork", "2"), r.signed(t, "Authorization", "legwork", "4")
		defer c.Close()
		defer late.Close()
		before := time.Now()
		ch := wantChallenge(t, r, c.outside())
		if got, _ := ch.Users("2"); got.Password != "password of 2" || time.Since(before) != 4*time.Second {
			t.Errorf("%q after %v", got.Password, time.Since(before))
		}
		before = time.Now()
		if d := late.outside(); !reflect.DeepEqual(d.Decision, b2bua.Reject{Code: 500}) || time.Since(before) != 5*time.Second {
			t.Errorf("%#v after %v", d, time.Since(before))
		}
		wantIn(t, r.log.String(), "hook=on_register", "stopped after waiting 5s")
	})
}

func TestACallerWhoGivesUpEndsTheLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `local wait = require "wait"
function M.on_invite(call) return b2b.challenge { users = function() wait.seconds(4) return "x" end } end`, withWait)
		c := r.signed(t, "Authorization", "legwork", "alice")
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		before := time.Now()
		failed, ok := c.Invite(ctx, c.view).Decision.(b2bua.Failed)
		if !ok || !errors.Is(failed.Err, lua.ErrCancelled) || time.Since(before) != time.Second {
			t.Errorf("%v after %v", failed.Err, time.Since(before))
		}
		if r.log.String() != "" && strings.Contains(r.log.String(), "level=ERROR") {
			t.Error(r.log)
		}
	})
}

func TestOthersAreServedWhileAUserIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, `local wait = require "wait"
function M.on_register(txn) return b2b.challenge { users = function(user) wait.seconds(3) return user end } end`,
			withWait, func(c *Config) { c.Machines = 1 })
		before := time.Now()
		done := make(chan string)
		for _, user := range []string{"u1", "u2", "u3"} {
			c := r.signed(t, "Authorization", "legwork", user)
			go func() {
				defer c.Close()
				ch, _ := c.outside().Decision.(b2bua.Challenge)
				got, _ := ch.Users(user)
				done <- user + " " + got.Password
			}()
		}
		for range 3 {
			if got := <-done; got[:2] != got[3:] {
				t.Errorf("%q", got)
			}
		}
		if time.Since(before) != 3*time.Second {
			t.Errorf("one after the other: %v", time.Since(before))
		}
	})
}
