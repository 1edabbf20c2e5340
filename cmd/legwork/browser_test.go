package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"legwork/cmd/legwork/sipptest"
)

const webrtcEdge = "../../examples/webrtc-edge"

// edge is examples/webrtc-edge at work, with browsers to come.
type edge struct {
	*running
	t *testing.T
	*chromium
	page string // where it is served
	web  string // the listener
	web6 string // another, on IPv6
	pbx  string // address of the callee behind the PBX
}

// TestBrowserPhones plays examples/webrtc-edge by the commands of its README, with
// JsSIP in Chromium and SIPp for the PBX.
func TestBrowserPhones(t *testing.T) {
	sipptest.Find(t)
	cert := t.TempDir()
	made(t, cert)
	b := browser(t, hashOfKey(t, filepath.Join(cert, "cert.pem")))
	for name, play := range map[string]func(e *edge){
		"a browser calls a phone and hangs up":     browserHangsUp,
		"a phone hangs up on a browser":            phoneHangsUp,
		"a phone calls a browser and hangs up":     browserIsCalled,
		"a browser hangs up on a phone":            calledBrowserHangsUp,
		"a browser gives up":                       browserGivesUp,
		"a browser refuses":                        browserRefuses,
		"two browsers hear each other":             browsersTalk,
		"a video call to the PBX is an audio call": videoIsStripped,
		"a wrong password registers nobody":        wrongPassword,
		"a page of elsewhere gets no connection":   wrongOrigin,
		"who closes the page hangs up":             pageIsClosed,
		"a page that crashes has given up":         pageCrashes,
		"a browser is found on its new connection": browserReconnects,
		"a browser over IPv6 calls over IPv4":      browserOverIPv6,
	} {
		t.Run(name, func(t *testing.T) {
			e := &edge{t: t, chromium: b}
			e.deploy(cert)
			play(e)
			e.settles("legwork_calls_active", 0)
			e.unhurt()
			if t.Failed() {
				t.Log(e.logged())
			}
		})
	}
}

// made runs the README's command for a certificate.
func made(t *testing.T, dir string) {
	t.Helper()
	program(t, "openssl", "openssl")
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(said(t, "openssl req"), "examples/webrtc-edge", dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// said is the command of the README that begins so.
func said(t *testing.T, start string) string {
	t.Helper()
	page := strings.ReplaceAll(read(t, filepath.Join(webrtcEdge, "README.md")), "\\\n", " ")
	line := regexp.MustCompile("[ `]" + start + "[^`\n]*").FindString(page)
	if line == "" {
		t.Fatalf("the README does not say %s", start)
	}
	return line[1:]
}

// hashOfKey names a certificate to a browser.
func hashOfKey(t *testing.T, file string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(read(t, file)))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// deploy serves the page and starts the example, on free ports.
func (e *edge) deploy(cert string) {
	e.t.Helper()
	site := httptest.NewServer(http.FileServer(http.Dir(webrtcEdge + "/page")))
	e.t.Cleanup(site.Close)
	e.page, e.pbx = site.URL, freeAddress(e.t, "127.0.0.2")
	dir := e.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(webrtcEdge)); err != nil {
		e.t.Fatal(err)
	}
	for _, name := range []string{"cert.pem", "key.pem"} { // where the README was obeyed they are there already
		write(e.t, filepath.Join(dir, name), read(e.t, filepath.Join(cert, name)))
	}
	yaml := filepath.Join(dir, "legwork.yaml")
	write(e.t, yaml, strings.NewReplacer(
		`"127.0.0.1:5060"}`, `"127.0.0.1:0"}`+"\n  - {name: tcp, transport: tcp, address: \"127.0.0.1:0\"}",
		"127.0.0.1:8443", "127.0.0.1:0", "http://127.0.0.1:8000", e.page, "127.0.0.2:5060", e.pbx,
		"script:", `  - {name: web6, transport: wss, address: "[::1]:0", cert: cert.pem, key: key.pem}`+"\nscript:",
	).Replace(read(e.t, yaml))+"admin: {address: \"127.0.0.1:0\"}\nlog: {level: debug}\n")
	e.running = serve(e.t, dir)
	at := e.waitFor(`msg=ready listen="[^"]*wss ([\d.:]+), wss (\[::1\]:\d+)`)
	e.web, e.web6 = "wss://"+at[1], "wss://"+at[2]
}

// phone registers in a page of its own.
func (e *edge) phone(user, password string) *tab {
	e.t.Helper()
	p := e.open(e.t, e.page)
	p.register(e.web, user, password)
	p.reads("registered")
	return p
}

func (p *tab) register(server, user, password string) {
	p.t.Helper()
	p.fill("#line", map[string]string{"server": server, "user": user, "password": password})
}

func (p *tab) dial(callee string) {
	p.t.Helper()
	p.fill("#dial", map[string]string{"callee": callee})
}

// sipp runs a command of the README, at free addresses.
func (e *edge) sipp(command string) *sipptest.Process {
	e.t.Helper()
	s := sipptest.Scenario{Calls: 1, Local: e.pbx}
	words := strings.Fields(said(e.t, command))
	for i, w := range words[:len(words)-1] {
		switch w {
		case "-sf":
			s.File = filepath.Join("..", "..", words[i+1])
		case "-s":
			s.Service, s.Remote, s.Local = words[i+1], e.udp, freeAddress(e.t, "127.0.0.2")
		}
	}
	return sipptest.Start(e.t, s)
}

func browserHangsUp(e *edge) {
	callee := e.sipp("sipp -sf examples/webrtc-edge/callee.xml")
	alice := e.phone("alice", "wonderland")
	alice.dial("4711")
	alice.reads("it rings")
	alice.reads("talking")
	alice.click("#hangup")
	alice.reads("over: Terminated, local")
	sipptest.Finish(e.t, callee)
	e.waitFor(`msg="call ended" .* by=caller`)
}

// answersWithICE is a phone's answer to a browser.
const answersWithICE = `> 200 | = application/sdp v=0\no=- 1 1 IN IP4 127.0.0.2\ns=-\nt=0 0\na=group:BUNDLE 0\nm=audio 9 UDP/TLS/RTP/SAVPF 8\nc=IN IP4 127.0.0.2\na=rtpmap:8 PCMA/8000\na=rtcp-mux\na=mid:0\na=ice-ufrag:edge\na=ice-pwd:0123456789abcdefghijklmn\na=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\na=setup:active`

func phoneHangsUp(e *edge) {
	callee := e.story(`
		< INVITE sip:4711@ | From: <sip:alice@web.example> | = UDP/TLS/RTP/SAVPF | = a=candidate: | != ` + e.web[len("wss://"):] + `
		` + answersWithICE + `
		< ACK
		pause 30
		> BYE
		< 200`)
	alice := e.phone("alice", "wonderland")
	alice.dial("4711")
	alice.reads("talking")
	alice.reads("over: Terminated, remote")
	sipptest.Finish(e.t, callee)
	e.waitFor(`msg="call ended" .* by=callee`)
}

// story runs a callee behind the PBX.
func (e *edge) story(text string) *sipptest.Process {
	e.t.Helper()
	return sipptest.Start(e.t, sipptest.Scenario{Story: text, Local: e.pbx, Calls: 1})
}

func browserIsCalled(e *edge) {
	alice := e.phone("alice", "wonderland")
	caller := e.sipp("sipp -sf examples/webrtc-edge/caller.xml")
	alice.reads("4711 calls")
	alice.click("#answer")
	alice.reads("talking")
	alice.reads("over: Terminated, remote")
	sipptest.Finish(e.t, caller)
	e.waitFor(`msg="call ended" .* by=caller`)
}

// offersICE is a phone's call to a browser.
var offersICE = strings.NewReplacer("> 200 |", "> INVITE |", "a=setup:active", "a=setup:actpass").Replace(answersWithICE)

// calls runs a caller behind the PBX.
func (e *edge) calls(user, text string) *sipptest.Process {
	e.t.Helper()
	return sipptest.Start(e.t, sipptest.Scenario{
		Story: offersICE + text, Local: freeAddress(e.t, "127.0.0.2"), Remote: e.udp, Service: user, Calls: 1,
	})
}

func calledBrowserHangsUp(e *edge) {
	alice := e.phone("alice", "wonderland")
	caller := e.calls("alice", `
		<? 100
		< 180
		< 200 | !Contact: invalid
		> ACK
		< BYE
		> 200`)
	alice.reads("alice calls")
	alice.click("#answer")
	alice.reads("talking")
	alice.click("#hangup")
	sipptest.Finish(e.t, caller)
	e.waitFor(`msg="call ended" .* by=callee`)
}

func browserGivesUp(e *edge) {
	callee := e.story(`
		< INVITE
		> 180
		< CANCEL
		> 200
		> 487 INVITE
		< ACK`)
	alice := e.phone("alice", "wonderland")
	alice.dial("4711")
	alice.reads("it rings")
	alice.click("#hangup")
	alice.reads("over: Canceled, local")
	sipptest.Finish(e.t, callee)
}

func browserRefuses(e *edge) {
	alice := e.phone("alice", "wonderland")
	caller := e.calls("alice", `
		<? 100
		< 180
		< 480
		> ACK`)
	alice.reads("alice calls")
	alice.click("#hangup")
	sipptest.Finish(e.t, caller)
}

func browsersTalk(e *edge) {
	alice, bob := e.phone("alice", "wonderland"), e.phone("bob", "builder")
	bob.dial("alice")
	alice.reads("bob calls")
	alice.click("#answer")
	alice.reads("media flows")
	bob.reads("media flows")
	alice.click("#hangup")
	bob.reads("over: Terminated, remote")
}

func videoIsStripped(e *edge) {
	callee := e.story(`
		< INVITE | = m=video 0
		` + strings.Replace(answersWithICE, `a=setup:active`, `a=setup:active\nm=video 0 UDP/TLS/RTP/SAVPF 96\na=mid:1`, 1) + `
		< ACK
		< BYE
		> 200`)
	alice := e.phone("alice", "wonderland")
	alice.fill("#dial", map[string]string{"callee": "4711", "video": "on"})
	alice.reads("talking")
	alice.click("#hangup")
	sipptest.Finish(e.t, callee)
}

func wrongPassword(e *edge) {
	p := e.open(e.t, e.page)
	p.register(e.web, "alice", "looking-glass")
	p.reads("not registered: Authentication Error")
	caller := e.calls("alice", `
		<? 100
		< 480
		> ACK`)
	sipptest.Finish(e.t, caller)
}

func wrongOrigin(e *edge) {
	elsewhere := httptest.NewServer(http.FileServer(http.Dir(webrtcEdge + "/page")))
	defer elsewhere.Close()
	p := e.open(e.t, elsewhere.URL)
	p.register(e.web, "alice", "wonderland")
	p.reads("disconnected")
	e.waitFor(`msg="handshake failed" .*pages of this origin may not come here`)
}

func pageIsClosed(e *edge) {
	callee := e.sipp("sipp -sf examples/webrtc-edge/callee.xml")
	alice := e.phone("alice", "wonderland")
	alice.dial("4711")
	alice.reads("talking")
	alice.shut()
	sipptest.Finish(e.t, callee)
	e.waitFor(`msg="call ended" .* by=caller`)
}

func pageCrashes(e *edge) {
	callee := e.story(`
		< INVITE
		> 180
		< CANCEL | Reason: cause=430
		> 200
		> 487 INVITE
		< ACK`)
	alice := e.phone("alice", "wonderland")
	alice.dial("4711")
	alice.reads("it rings")
	alice.crash()
	sipptest.Finish(e.t, callee)
	e.waitFor(`msg="call ended" .*code=487 .*by=caller`)
}

func browserReconnects(e *edge) {
	callee := e.story(answersAndIsHungUp)
	p := e.open(e.t, e.page)
	p.run(`sockets = []; WebSocket = class extends WebSocket { constructor(...to) { super(...to); sockets.push(this) } }`)
	p.register(e.web, "alice", "wonderland")
	p.reads("registered")
	p.dial("4711")
	p.reads("talking")
	p.run(`sockets[0].close()`)
	p.reads("disconnected")
	p.reads("registered")
	e.running.ask("hangup", e.id()).expect(e.t, 0, "")
	p.reads("over: Terminated, remote")
	sipptest.Finish(e.t, callee)
}

const answersAndIsHungUp = `
	< INVITE
	` + answersWithICE + `
	< ACK
	< BYE
	> 200`

func browserOverIPv6(e *edge) {
	callee := e.story(strings.Replace(answersAndIsHungUp, "< INVITE", "< INVITE | Contact: 127.0.0.1 | Via: 127.0.0.1", 1))
	p := e.open(e.t, e.page)
	p.register(e.web6, "alice", "wonderland")
	p.reads("registered")
	p.dial("4711")
	p.reads("talking")
	p.click("#hangup")
	sipptest.Finish(e.t, callee)
	caller := e.calls("alice", `
		<? 100
		< 180
		< 200 | Contact: 127.0.0.1
		> ACK
		> BYE
		< 200`)
	p.reads("alice calls")
	p.click("#answer")
	p.reads("talking")
	sipptest.Finish(e.t, caller)
}
