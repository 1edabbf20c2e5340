package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"text/template"
)

// kamailioStart is how each configuration of Kamailio's begins.
const kamailioStart = `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "textops.so"
`

// routing starts a Kamailio at an address, which ends with the test. Its
// configuration is a template over what of holds.
func routing(t *testing.T, at, config string, of any) {
	t.Helper()
	path, dir := program(t, "kamailio", "kamailio"), t.TempDir()
	text := bytes.NewBufferString(kamailioStart + "listen=udp:" + at + "\nlisten=tcp:" + at + "\n")
	if err := template.Must(template.New("").Parse(config)).Execute(text, of); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kamailio.cfg")
	write(t, file, text.String())
	beside(t, path, "-f", file, "-DD", "-E", "-m", "32", "-M", "4", "-Y", dir, "-w", dir, "-P", filepath.Join(dir, "pid"))
	_ = dialUntil(t, at).Close()
}
