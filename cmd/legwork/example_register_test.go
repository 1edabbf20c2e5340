package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"legwork/cmd/legwork/sipptest"
)

// accountConfig is a carrier that wants to be registered with and asks for the
// password with each call; the world behind it is one address, from which it is
// called by another.
const accountConfig = `loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("auth", "qop", "auth")
modparam("auth", "nonce_count", 1)

request_route {
	if (is_method("REGISTER")) {
		if (!pv_www_authenticate("carrier.example", "open sesame", "0")) {
			www_challenge("carrier.example", "1");
			exit;
		}
		save("location");
		exit;
	}
	if (is_method("CANCEL")) {
		if (t_check_trans()) t_relay();
		exit;
	}
	if (has_totag()) {
		if (loose_route() || t_check_trans()) t_relay();
		exit;
	}
	if (!is_method("INVITE")) {
		sl_send_reply("405", "Method Not Allowed");
		exit;
	}
	if ($sp == {{.CallerPort}}) {
		$ru = "sip:acct@carrier.example";
		if (!lookup("location")) {
			sl_send_reply("480", "Temporarily Unavailable");
			exit;
		}
	} else {
		if (!pv_proxy_authenticate("carrier.example", "open sesame", "0")) {
			proxy_challenge("carrier.example", "1");
			exit;
		}
		consume_credentials();
		$du = "sip:{{.Callee}}";
	}
	record_route();
	t_relay();
}
`

// world is a Kamailio with accountConfig and those whom it connects.
type world struct{ At, Caller, Callee string }

// CallerPort tells who calls from the world.
func (w world) CallerPort() string { return strings.TrimPrefix(w.Caller, "127.0.0.1:") }

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{At: sipptest.Address(t), Caller: sipptest.Address(t), Callee: sipptest.Address(t)}
	routing(t, w.At, accountConfig, w)
	return w
}

// TestAPBXBehindAnAccountIsCalledAndCalls plays examples/sip-trunk-register at
// a Kamailio that asks for the password of every request.
func TestAPBXBehindAnAccountIsCalledAndCalls(t *testing.T) {
	sipptest.Find(t)
	w, pbx := newWorld(t), sipptest.Address(t)
	dir := example(t, "sip-trunk-register",
		"127.0.0.2:5060", w.At, "127.0.0.1:5080", pbx,
		`match: ["127.0.0.1"]`, `match: ["127.0.0.9"]`, `match: ["127.0.0.2"]`, `match: ["127.0.0.1"]`)
	r := serve(t, dir)
	r.waitFor(`msg=registered trunk=carrier`)
	rung := sipptest.Start(t, sipptest.Scenario{Local: pbx, Calls: 1, Story: "< INVITE sip:211@ | !Proxy-Authorization:\n> 180\n> 200 +sdp" + isHungUp})
	sipptest.Run(t, sipptest.Scenario{
		File: "testdata/sipp/uac.xml", Local: w.Caller, Remote: w.At, Service: "+493023125211", Calls: 1, Pause: 30 * time.Millisecond,
	})
	sipptest.Finish(t, rung)
	answering := sipptest.Start(t, sipptest.Scenario{Local: w.Callee, Calls: 1, Story: `
		< INVITE sip:.491713920012@carrier[.]example | From: 493023125211@carrier[.]example | P-Asserted-Identity: 493023125211@ | !Proxy-Authorization:
		> 180
		> 200 +sdp` + isHungUp})
	sipptest.Run(t, sipptest.Scenario{
		Story: "> INVITE +sdp | P-Asserted-Identity: <sip:211@pbx.example>\n<? 100\n< 180 | !Proxy-Authenticate:\n< 200" + hangsUp,
		Local: strings.Replace(pbx, "127.0.0.1", "127.0.0.9", 1), Remote: r.udp, Service: "01713920012", Calls: 1,
	})
	sipptest.Finish(t, answering)
	r.unhurt()
	r.signal(syscall.SIGTERM)
	r.waitFor(`msg="registration ended" trunk=carrier code=200`)
}
