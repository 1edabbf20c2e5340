package main

import (
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"legwork/cmd/legwork/sipptest"
)

// disguise stands between a scanner and the program: what it sends comes from
// another address of loopback, and under another name if it is to have one. at is
// the port that it is sent to.
func disguise(t *testing.T, from, agent, to string) (port string) {
	t.Helper()
	near, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	far, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}).Dial("udp4", to)
	if err != nil {
		t.Fatal(err)
	}
	scanner := make(chan net.Addr, 1)
	done := make(chan struct{}, 2)
	t.Cleanup(func() {
		near.Close()
		far.Close()
		<-done
		<-done
	})
	go func() {
		defer func() { done <- struct{}{} }()
		b := make([]byte, 1<<16)
		for {
			n, peer, err := near.ReadFrom(b)
			if err != nil {
				return
			}
			select {
			case <-scanner:
			default:
			}
			scanner <- peer
			m := b[:n]
			if agent != "" {
				m = bytes.ReplaceAll(m, []byte("friendly-scanner"), []byte(agent))
			}
			_, _ = far.Write(m)
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		b := make([]byte, 1<<16)
		for {
			n, err := far.Read(b)
			if err != nil {
				return
			}
			peer := <-scanner
			_, _ = near.WriteTo(b[:n], peer)
			select {
			case scanner <- peer:
			default:
			}
		}
	}()
	_, port, _ = net.SplitHostPort(near.LocalAddr().String())
	return port
}

// scan runs a program of sipvicious and returns all that it says.
func scan(t *testing.T, name, port string, args ...string) string {
	t.Helper()
	args = append(args, "--maximumtime=40", "-p", port, "127.0.0.1")
	if name == "svmap" { // which knows no such limit
		args = append(args[:len(args)-4:len(args)-4], "-p", port, "127.0.0.1")
	}
	out, err := exec.CommandContext(t.Context(), program(t, name, "sipvicious"), args...).CombinedOutput()
	if len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}

// sheltered is a deployment whose one trunk has the caller of SIPp, and with
// users.
func sheltered(t *testing.T, pbx, more string) string {
	t.Helper()
	dir := deployment(t, pbx, "users: {file: users.yaml, realm: home.example}\nregistrar: {enabled: true}\n"+more)
	yaml := filepath.Join(dir, "legwork.yaml")
	write(t, yaml, strings.Replace(read(t, yaml), "127.0.0.0/8", "127.0.0.1/32", 1))
	write(t, filepath.Join(dir, "users.yaml"), "\"100\": \"137\"\n\"105\": tangerine\n")
	return dir
}

// TestScannersHearNothing also proves that calls go on meanwhile, and that an
// operator can lift the ban.
func TestScannersHearNothing(t *testing.T) {
	pbx := phone(t, "uas.xml")
	r := serve(t, sheltered(t, pbx.Local, ""))
	load := sipptest.Start(t, caller(r, "uac.xml", 300, 30))
	port := disguise(t, "127.0.0.66", "", r.udp)
	for name, args := range map[string][]string{"svmap": nil, "svwar": {"-e100-110"}, "svcrack": {"-u100", "-r130-140"}} {
		if said := scan(t, name, port, args...); !strings.Contains(said, "found nothing") || strings.Contains(said, "egwork") {
			t.Errorf("%s says: %s", name, said)
		}
	}
	undisturbed(t, load, 300)
	hangUpPhone(t, pbx)
	r.ask("bans").expect(t, 0, `127\.0\.0\.66 +scanner +udp .*\d+\n$`)
	if got := r.metric(`legwork_bans`); got != 1 {
		t.Errorf("%g bans", got)
	}
	if got := r.metric(`legwork_dropped_messages_total{by="ban"}`); got < 1 {
		t.Errorf("%g messages are dropped", got)
	}
	r.ask("unban", "127.0.0.67").expect(t, 1, `127\.0\.0\.67 is not banned`)
	r.ask("unban", "127.0.0.66").expect(t, 0, `127\.0\.0\.66 is no longer banned`)
	r.ask("bans").expect(t, 0, `nobody is banned`)
	r.unhurt()
}

// TestAScannerUnderAnotherNameLearnsNothing has it look for extensions, of which
// 100 and 105 are there, and for the password of one, which is among those that
// it tries.
func TestAScannerUnderAnotherNameLearnsNothing(t *testing.T) {
	pbx := phone(t, "uas.xml")
	r := serve(t, sheltered(t, pbx.Local, ""))
	load := sipptest.Start(t, caller(r, "uac.xml", 300, 30))
	port := disguise(t, "127.0.0.67", "a-telephone-1.02", r.udp)
	for _, method := range []string{"REGISTER", "INVITE", "OPTIONS"} {
		said := scan(t, "svwar", port, "-e98-107", "-m"+method)
		if strings.Contains(said, "| 100") || strings.Contains(said, "| 105") || strings.Contains(said, "egwork") {
			t.Errorf("svwar by %s says: %s", method, said)
		}
	}
	if said := scan(t, "svcrack", port, "-u100", "-r100-160"); strings.Contains(said, "| 137") {
		t.Errorf("svcrack says: %s", said)
	}
	undisturbed(t, load, 300)
	hangUpPhone(t, pbx)
	if got := r.metric(`legwork_refused_total{reason="too_many_guesses"}`); got == 0 {
		t.Error("passwords are guessed as fast as one likes")
	}
	r.unhurt()
}
