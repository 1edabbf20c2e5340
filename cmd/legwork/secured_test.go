package main

import (
	"path/filepath"
	"strings"
	"testing"

	"legwork/b2bua/simnet"
)

// securedPhone is a baresip that speaks TLS with a certificate of ca's, and
// verifies who it calls; at is its TLS address.
func securedPhone(t *testing.T, ca *simnet.Authority, user string) (p *softphone, at string) {
	t.Helper()
	addr, at := twoPorts(t)
	cert, key, err := ca.Issue(simnet.Leaf{Names: []string{"127.0.0.1", user + ".example"}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	own, roots := filepath.Join(dir, "own.pem"), filepath.Join(dir, "ca.pem")
	write(t, own, string(key)+string(cert))
	write(t, roots, string(ca.PEM()))
	return softphoneWith(t, addr, "<sip:"+user+"@"+at+";transport=tls>;regint=0;answermode=auto",
		"sip_certificate "+own+"\nsip_cafile "+roots+"\n"), at
}

func TestSoftphonesTalkOverTLS(t *testing.T) {
	ca, err := simnet.NewAuthority("Test CA")
	if err != nil {
		t.Fatal(err)
	}
	alice, _ := securedPhone(t, ca, "alice")
	bob, bobAt := securedPhone(t, ca, "4711")
	dir := deployment(t, bobAt+";transport=tls", "")
	cert, key, err := ca.Issue(simnet.Leaf{Names: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": key, "ca.pem": ca.PEM()} {
		write(t, filepath.Join(dir, name), string(text))
	}
	yaml := filepath.Join(dir, "legwork.yaml")
	write(t, yaml, strings.Replace(read(t, yaml), "script: main.lua",
		`  - {name: tls, transport: tls, address: "127.0.0.1:0", cert: cert.pem, key: key.pem, client_ca: ca.pem, server_ca: ca.pem}`+"\nscript: main.lua", 1))
	r := serve(t, dir)
	at := r.waitFor(`msg=ready listen="[^"]*tls ([\d.:]+)`)[1]
	alice.do("dial", "sip:4711@"+at+";transport=tls")
	alice.hears("CALL_ESTABLISHED")
	bob.hears("CALL_ESTABLISHED")
	bob.do("hold", "")
	alice.hears("CALL_REMOTE_SDP offer")
	bob.hears("CALL_REMOTE_SDP answer")
	bob.do("hangup", "")
	bob.hears("CALL_CLOSED")
	alice.hears("CALL_CLOSED")
	r.waitFor(`msg="call ended" .* by=callee`)
	r.unhurt()
	if got := r.metric(`legwork_tls_certificate_expiry_seconds{listener="tls"}`); got < 300*24*3600 {
		t.Errorf("expires in %.0f s", got)
	}
}
