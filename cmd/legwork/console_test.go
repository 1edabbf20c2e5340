package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"legwork/b2bua/message"
)

// markup is what must stay text, wherever it comes from.
const markup = `<img src=x onerror="document.title='owned'">`

// shows waits until an expression of the page is true.
func (p *tab) shows(condition string) {
	p.t.Helper()
	got := p.run(fmt.Sprintf(`new Promise(done => {
		const look = setInterval(() => { if (%s) { clearInterval(look); done("yes") } }, 50);
		setTimeout(() => { clearInterval(look); done(document.body.innerText) }, %d);
	})`, condition, patience.Milliseconds()/2))
	if got != "yes" {
		p.t.Fatalf("never %s:\n%s", condition, got)
	}
}

// contains is a condition: an element has this text.
func contains(element, text string) string {
	return fmt.Sprintf("document.querySelector(%q).textContent.includes(%q)", element, text)
}

func TestTheConsoleShowsWhatHappens(t *testing.T) {
	b := browser(t, "")
	alice, bob := agent(t), agent(t)
	dir := deployment(t, bob.Addr.String(), "")
	path := filepath.Join(dir, "legwork.yaml")
	write(t, path, strings.Replace(read(t, path), `"127.0.0.1:0"}`+"\nlimits", `"127.0.0.1:0", token: opensesame}`+"\nlimits", 1))
	r := serve(t, dir)
	page := b.open(t, "http://"+r.admin+"/")
	page.shows(contains("#state", "locked"))
	page.run(`document.querySelector("#token").value = "wrong", document.querySelector("#door").requestSubmit()`)
	page.shows(`!document.querySelector("#door").hidden`)
	page.run(`document.querySelector("#token").value = "opensesame", document.querySelector("#door").requestSubmit()`)
	page.shows(contains("#state", "live"))
	page.shows(contains("#script", "main.lua@"))
	page.shows(contains("#trunks", "pbx"))

	call := r.talk(alice, bob)
	page.shows(contains("#calls", "talking"))
	page.shows(contains("#calls", "phones → pbx"))
	call.hangUp()
	page.shows(`document.querySelector("#calls").children.length === 0`)
	page.shows(contains("#over", "200 OK"))

	invite := alice.Invite("sip:4711@"+r.udp, demoSDP)
	invite.Set("From", `"`+strings.ReplaceAll(markup, `"`, "'")+`" <sip:%3Cimg%20src=x%3E&'@192.0.2.1>;tag=1`)
	if _, err := alice.Send(invite, r.udp); err != nil {
		t.Fatal(err)
	}
	next(t, bob, "INVITE").Reply(603, func(res *message.Message) { res.Reason = markup })
	page.shows(contains("#over", "sip:%3Cimg%20src=x%3E&'@192.0.2.1"))
	page.run(`document.querySelector("#over button").click()`)
	page.shows(`document.querySelector("#ladder").open && ` + contains("#drawing", "INVITE") + ` && ` + contains("#drawing", "<img src=x"))
	page.shows(`document.querySelector("#drawing span.s36") !== null`)
	page.shows(`!document.querySelector("#page").hidden && document.querySelector("#page").href.startsWith("blob:")`)
	if got := page.run(`document.title + document.images.length`); got != "Legwork0" {
		t.Errorf("markup has run: %s", got)
	}

	main := filepath.Join(dir, "main.lua")
	write(t, main, read(t, main)+"nonsense\n")
	page.shows(contains("#failure", "main.lua:3") + ` && !document.querySelector("#failure").hidden`)
	r.ask("trunks", "disable", "pbx", "--token", "opensesame").expect(t, 0)
	page.shows(contains("#trunks", "disabled"))
	r.ask("drain", "--token", "opensesame").expect(t, 0)
	page.shows(contains("#events", "drain.began"))
	page.shows(contains("#state", "no answer"))
}
