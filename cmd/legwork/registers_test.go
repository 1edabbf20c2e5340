package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"legwork/b2bua/simnet"
	"legwork/cmd/legwork/sipptest"
)

// carrierConfig is a carrier's registrar: it wants a password, and sends calls
// where the account is.
const carrierConfig = `loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 60)

request_route {
	if (is_method("OPTIONS")) {
		sl_send_reply("405", "Method Not Allowed");
		exit;
	}
	if (is_method("REGISTER")) {
		if (!pv_www_authenticate("carrier.example", "{{.Password}}", "0")) {
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
	$ru = "sip:acct@carrier.example";
	if (!lookup("location")) {
		sl_send_reply("404", "Not Found");
		exit;
	}
	record_route();
	t_relay();
}
`

// TestACarrierThatIsARegistrarFindsUs registers with a wrong password, then by
// reload with the right one, is called through the carrier, and says goodbye.
func TestACarrierThatIsARegistrarFindsUs(t *testing.T) {
	at := sipptest.Address(t)
	routing(t, at, carrierConfig, struct{ Password string }{"s3cret"})
	caller, pbx := agent(t), agent(t)
	dir := deployment(t, pbx.Addr.String(), `
  carrier:
    targets: ["sip:`+at+`"]
    auth: {user: acct, password: !file password}
    register: {aor: "sip:acct@carrier.example", expires: 3600, contact_user: "4711"}
`)
	yaml := filepath.Join(dir, "legwork.yaml")
	write(t, yaml, strings.Replace(read(t, yaml), "127.0.0.0/8", "192.0.2.0/24", 1))
	write(t, filepath.Join(dir, "password"), "wr0ng\n")
	r := serve(t, dir)
	r.waitFor(`msg="registration failed: 401 [^"]*rejected" trunk=carrier`)
	r.ask("trunks").expect(t, 0, `carrier .* no: 401 `)
	write(t, filepath.Join(dir, "password"), "s3cret\n")
	r.waitFor(`msg=registered trunk=carrier`)
	r.ask("trunks").expect(t, 0, `carrier .* until \d\d:`)
	pbx.Hear(func(in *simnet.Incoming) {
		if in.Message.Method == "INVITE" {
			in.Reply(486, nil)
		}
	})
	if _, err := caller.Send(caller.Invite("sip:+4930123@carrier.example", demoSDP), at); err != nil {
		t.Fatal(err)
	}
	if got, err := caller.Next(patience, "480", "403", "404"); err != nil || got.Status != 480 { // as the script tells a 486
		t.Errorf("%v %v", got, err)
	}
	for _, secret := range []string{"s3cret", "wr0ng"} {
		if strings.Contains(r.logged(), secret) {
			t.Error("a password is in the log:", r.logged())
		}
	}
	r.signal(syscall.SIGTERM)
	r.waitFor(`msg="registration ended" trunk=carrier code=200`)
}

func TestATargetThatDoesNotAnswerOPTIONSIsDownUntilItDoes(t *testing.T) {
	pbx, sick := agent(t), agent(t)
	r := serve(t, deployment(t, pbx.Addr.String(), `
  sick:
    targets: ["sip:`+sick.Addr.String()+`"]
    health: {options: 1s, timeout: 200ms, down_after: 1, up_after: 1}
`))
	r.waitFor(`level=WARN msg="target is down" trunk=sick target=\S+ reason="no answer"`)
	r.ask("trunks").expect(t, 0, `sick +down`)
	if got := r.metric(`legwork_trunk_up{trunk="sick"}`); got != 0 {
		t.Errorf("its metric is %v", got)
	}
	sick.Hear(func(in *simnet.Incoming) {
		if in.Message.Method == "OPTIONS" {
			in.Reply(200, nil)
		}
	})
	r.waitFor(`level=INFO msg="target is up" trunk=sick`)
	r.ask("trunks").expect(t, 0, `sick +up`)
}
