package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"legwork/cmd/legwork/sipptest"
)

// program finds a foreign SIP stack; without it the test is skipped.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not in PATH: as root, apt-get install %s", name, debian)
	}
	return path
}

// beside runs a program until the test ends.
func beside(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Kamailio has children
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", name, out)
		}
	})
}

// softphone is a running baresip; answers calls by itself.
type softphone struct {
	t       *testing.T
	addr    string
	control net.Conn
	events  *bufio.Reader // netstrings: "5:hello,5:world,"
}

type softphoneEvent struct {
	Type  string `json:"type"`
	Param string `json:"param"`
}

const baresipConfig = `poll_method epoll
sip_listen %s
audio_player aubridge,x
audio_source aubridge,x
audio_alert aubridge,y
module_path %s
module g711.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen %s
`

func baresip(t *testing.T, user string) *softphone {
	t.Helper()
	addr, _ := twoPorts(t)
	return softphoneAt(t, addr, "<sip:"+user+"@"+addr+">;regint=0;answermode=auto")
}

// twoPorts is an address whose next port is free as well: baresip takes that for
// TLS. Both are below those that the kernel gives to others meanwhile.
func twoPorts(t *testing.T) (first, second string) {
	t.Helper()
	at := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	for range 100 {
		if port := 20_000 + 2*mathrand.IntN(5_000); free(at(port)) && free(at(port+1)) {
			return at(port), at(port + 1)
		}
	}
	t.Fatal("no two ports in a row are free")
	return "", ""
}

func free(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// softphoneOf is a baresip with an account.
func softphoneOf(t *testing.T, account string) *softphone {
	t.Helper()
	addr, _ := twoPorts(t)
	return softphoneAt(t, addr, account)
}

func softphoneAt(t *testing.T, addr, account string) *softphone {
	t.Helper()
	return softphoneWith(t, addr, account, "")
}

// softphoneWith takes further lines of its configuration.
func softphoneWith(t *testing.T, addr, account, more string) *softphone {
	t.Helper()
	path := program(t, "baresip", "baresip-core")
	p := &softphone{t: t, addr: addr}
	control, dir := sipptest.Address(t), t.TempDir()
	modules, err := filepath.Glob("/usr/lib*/baresip/modules/ctrl_tcp.so")
	if more, _ := filepath.Glob("/usr/lib/*/baresip/modules/ctrl_tcp.so"); err == nil {
		modules = append(modules, more...)
	}
	if len(modules) == 0 {
		t.Skip("baresip has no ctrl_tcp.so")
	}
	write(t, filepath.Join(dir, "config"), fmt.Sprintf(baresipConfig, p.addr, filepath.Dir(modules[0]), control)+more)
	write(t, filepath.Join(dir, "accounts"), account+"\n")
	write(t, filepath.Join(dir, "contacts"), "")
	beside(t, path, "-f", dir)
	p.control = dialUntil(t, control)
	_ = p.control.SetDeadline(time.Now().Add(2 * patience))
	p.events = bufio.NewReader(p.control)
	return p
}

// dialUntil connects to what is about to listen.
func dialUntil(t *testing.T, addr string) net.Conn {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience / 4); ; <-tick.C {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func (p *softphone) do(command, params string) {
	p.t.Helper()
	text, err := json.Marshal(map[string]string{"command": command, "params": params})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.control.Write([]byte(strconv.Itoa(len(text)) + ":" + string(text) + ",")); err != nil {
		p.t.Fatal(err)
	}
}

// hears waits for an event such as "CALL_REMOTE_SDP offer".
func (p *softphone) hears(want string) {
	p.t.Helper()
	for {
		e, err := p.event()
		if err != nil {
			p.t.Fatalf("%s: %v, want %s", p.addr, err, want)
		}
		if strings.HasPrefix(e.Type+" "+e.Param, want) {
			return
		}
	}
}

func (p *softphone) event() (e softphoneEvent, err error) {
	length, err := p.events.ReadString(':')
	if err != nil {
		return e, err
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(length, ":"), 10, 16)
	if err != nil {
		return e, err
	}
	text := make([]byte, n+1)
	if _, err := io.ReadFull(p.events, text); err != nil {
		return e, err
	}
	return e, json.Unmarshal(text[:n], &e)
}

func TestSoftphonesTalkHoldAndHangUp(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, by := range []string{"caller", "callee"} {
			t.Run(transport+", ended by "+by, func(t *testing.T) {
				alice, bob := baresip(t, "alice"), baresip(t, "4711")
				r := serve(t, deployment(t, bob.addr+";transport="+transport, ""))
				at := map[string]string{"udp": r.udp, "tcp": r.tcp}[transport]
				alice.do("dial", "sip:4711@"+at+";transport="+transport)
				alice.hears("CALL_ESTABLISHED")
				bob.hears("CALL_ESTABLISHED")
				first, second := alice, bob
				if by == "callee" {
					first, second = bob, alice
				}
				for _, command := range []string{"hold", "resume"} {
					first.do(command, "")
					second.hears("CALL_REMOTE_SDP offer")
					first.hears("CALL_REMOTE_SDP answer")
				}
				first.do("hangup", "")
				first.hears("CALL_CLOSED")
				second.hears("CALL_CLOSED")
				r.waitFor(`msg="call ended" .* by=` + by)
				r.unhurt()
			})
		}
	}
}

func TestASoftphoneGivesUpWhileAnotherRings(t *testing.T) {
	alice := baresip(t, "alice")
	callee := sipptest.Start(t, sipptest.Scenario{File: "testdata/sipp/uas_ringing.xml", Calls: 1})
	r := serve(t, deployment(t, callee.Local, ""))
	alice.do("dial", "sip:4711@"+r.udp)
	alice.hears("CALL_RINGING")
	alice.do("hangup", "")
	alice.hears("CALL_CLOSED")
	sipptest.Finish(t, callee)
	r.waitFor(`msg="call ended" .*code=487 .*by=caller`)
}

// proxyConfig is a loose router that stays in the path of what it is given and
// sends it on to one place.
const proxyConfig = `{{with .Asks}}loadmodule "auth.so"
modparam("auth", "qop", "auth")
modparam("auth", "nonce_count", 1)
modparam("auth", "algorithm", "{{.Algorithm}}")
{{end}}
request_route {
	if (!mf_process_maxfwd_header("70")) {
		sl_send_reply("483", "Too Many Hops");
		exit;
	}
{{with .Asks}}	if (is_method("INVITE|BYE") && !pv_{{.As}}_authenticate("carrier.example", "secret", "0")) {
		{{.As}}_challenge("carrier.example", "1");
		exit;
	}
	consume_credentials();
{{end}}	if (has_totag()) {
		if (loose_route()) {
			t_relay();
			exit;
		}
		if (is_method("ACK") && t_check_trans()) {
			t_relay();
			exit;
		}
		sl_send_reply("404", "Not In My Route Set");
		exit;
	}
	if (is_method("CANCEL")) {
		if (t_check_trans()) t_relay();
		exit;
	}
	if (!is_method("INVITE")) {
		sl_send_reply("405", "Method Not Allowed");
		exit;
	}
	record_route();
	$du = "sip:{{.To}}";
	t_relay();
}
`

// asks is how Kamailio wants INVITE and BYE proved: everybody's password is
// "secret".
type asks struct {
	As        string // www or proxy
	Algorithm string // "": MD5
}

// kamailio proxies to an address ("192.0.2.1:5060;transport=tcp").
func kamailio(t *testing.T, at, to string, how *asks) {
	t.Helper()
	routing(t, at, proxyConfig, struct {
		To   string
		Asks *asks
	}{to, how})
	c := dialUntil(t, at)
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, request("OPTIONS", "tcp", "127.0.0.1:5060"))
	if got := status(c); got != 405 {
		t.Fatalf("kamailio answers %d", got)
	}
	_ = c.Close()
}

// Flow C31 with proxies that insist on their route set.
func TestProxiesOnEitherSideStayInTheDialog(t *testing.T) {
	sipptest.Find(t)
	program(t, "kamailio", "kamailio")
	for _, transport := range []string{"udp", "tcp"} {
		for name, pair := range map[string][2]string{
			"basic call":       {"uac", "uas"},
			"callee hangs up":  {"uac_hungup", "uas_bye"},
			"late offer":       {"uac_late_offer", "uas_late_offer"},
			"caller holds":     {"uac_reinvite", "uas_reinvite"},
			"callee holds":     {"uac_held", "uas_hold"},
			"caller cancels":   {"uac_cancel", "uas_ringing"},
			"digit in an INFO": {"uac_info", "uas_info"},
		} {
			for _, side := range []string{"caller's", "callee's", "both"} {
				t.Run(strings.Join([]string{name, transport, side}, "/"), func(t *testing.T) {
					t.Parallel()
					viaProxies(t, pair, transport, side)
				})
			}
		}
	}
}

func viaProxies(t *testing.T, pair [2]string, transport, side string) {
	sip := map[string]string{"udp": "u1", "tcp": "t1"}[transport]
	callee := sipptest.Start(t, sipptest.Scenario{File: "testdata/sipp/" + pair[1] + ".xml", Calls: 1, Transport: sip, Pause: 30 * time.Millisecond})
	target := callee.Local + ";transport=" + transport
	if side != "caller's" {
		far := sipptest.Address(t)
		kamailio(t, far, target, nil)
		target = far + ";transport=" + transport
	}
	r := serve(t, flowDeployment(t, "127.0.0.1", "sip:"+target, "sip:192.0.2.1", ""))
	remote := r.listening(sip, "127.0.0.1")
	if side != "callee's" {
		near := sipptest.Address(t)
		kamailio(t, near, remote+";transport="+transport, nil)
		remote = near
	}
	sipptest.Run(t, sipptest.Scenario{
		File: "testdata/sipp/" + pair[0] + ".xml", Calls: 1, Transport: sip, Remote: remote, Service: "one", Pause: 30 * time.Millisecond,
	})
	sipptest.Finish(t, callee)
	if t.Failed() {
		t.Log(r.logged())
	}
}
