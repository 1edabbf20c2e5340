package script

import (
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/trunk"
)

// signallingOf reads the keys of a route that say how its legs speak SIP.
func signallingOf(f form, r *b2bua.Route) {
	r.PRACK, r.Refer, r.Redirects, r.Early, r.Timer = prackOf(f), referOf(f), redirectsOf(f), earlyOf(f), timerOf(f)
	f.choice("media", "direct", "relay rtpengine") // direct is what happens
}

func prackOf(f form) trunk.PRACK {
	switch f.choice("prack", prackWords, "") {
	case "interwork":
		return trunk.InterworkPRACK
	case "pass":
		return trunk.PassPRACK
	case "off":
		return trunk.NoPRACK
	}
	return trunk.PRACKDefault
}

func referOf(f form) b2bua.Refer {
	switch f.choice("refer", referWords, "") {
	case "local":
		return b2bua.LocalRefer
	case "reject":
		return b2bua.RejectRefer
	}
	return b2bua.PassRefer
}

func redirectsOf(f form) b2bua.Redirects {
	if f.choice("redirect", redirectWords, "") == "pass" {
		return b2bua.PassRedirects
	}
	return b2bua.FollowRedirects
}

func earlyOf(f form) b2bua.Early {
	switch f.choice("early", earlyWords, "") {
	case "first":
		return b2bua.EarlyFirst
	case "suppress":
		return b2bua.EarlySuppress
	}
	return b2bua.EarlyPass
}

// leastTimer is the least that RFC 4028 section 5 lets Min-SE be.
const leastTimer = 90

// timerOf reads {expires=, min=, refresher=} in seconds, or false; nil when
// there is none.
func timerOf(f form) *trunk.Timer {
	var t form
	switch v := f.get("timer").(type) {
	case *glua.LNilType:
		return nil
	case *glua.LTable:
		t = form{f.L, v, f.what + ": timer"}
	default:
		if v != glua.LFalse {
			f.fail("timer is %s; want {expires =, min =, refresher =} or false", kindOf(v))
		}
		return &trunk.Timer{Off: true}
	}
	t.only("expires", "min", "refresher")
	expires, least := t.integer("expires", 0, maxSeconds), t.integer("min", leastTimer, maxSeconds)
	if expires > 0 && expires < max(least, leastTimer) {
		t.fail("expires is %d; want 0 for none, or at least %d seconds", expires, max(least, leastTimer))
	}
	return &trunk.Timer{
		Expires: time.Duration(expires) * time.Second, Min: time.Duration(least) * time.Second,
		Refresher: t.choice("refresher", "uac uas", ""),
	}
}
