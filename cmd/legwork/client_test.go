package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"legwork/b2bua"
	"legwork/b2bua/admin"
	"legwork/script"
)

// ask runs a command against a running Legwork.
func (r *running) ask(args ...string) outcome {
	r.t.Helper()
	return run(r.t, r.dir, append(args, "--admin", r.admin)...)
}

// id is that of the only call.
func (r *running) id() string {
	r.t.Helper()
	var list admin.CallList
	if err := json.Unmarshal([]byte(r.ask("calls", "--json").out), &list); err != nil || len(list.Calls) != 1 {
		r.t.Fatalf("%+v, %v", list, err)
	}
	return list.Calls[0].ID
}

func (o outcome) expect(t *testing.T, code int, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(o.out + o.err) {
			t.Errorf("no %s in\n%s%s", p, o.out, o.err)
		}
	}
	if o.code != code {
		t.Errorf("exit %d, want %d\n%s%s", o.code, code, o.out, o.err)
	}
}

func TestACallCanBeSeenAndHungUp(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	r.ask("calls").expect(t, 0, `^no calls\n$`)
	r.talk(alice, bob)
	id := r.id()
	r.ask("calls").expect(t, 0, `ID +PHASE`, id+` +talking +\d+s +phones +sip:alice@\S+ +sip:4711@`)
	r.ask("call", id).expect(t, 0, `phase +talking`, `trunk +phones`, `leg a +127`, `leg b +127`)
	r.ask("ladder", id).expect(t, 0, `on_invite → route pbx`, `200 OK \+SDP`)
	r.ask("ladder", "last").expect(t, 0, `^call `+id)
	r.ask("ladder", id, "--html").expect(t, 0, `^<!DOCTYPE html>`, `<svg`, `200 OK &#43;SDP`)
	r.ask("headers", id).expect(t, 0, `INVITE \+SDP to pbx`, `FIELD +VALUE`, `From +"Hello alice" .* script main.lua:24 +on_branch`, `X-Legwork +hello +script main.lua:22 +on_branch`, `To +.* caller`, `Max-Forwards +69 +engine +one hop less`)
	r.ask("headers", id, "--step", "999").expect(t, 1, `no message of call \S+ left at step 999`)
	r.ask("headers", id, "--json").expect(t, 0, `"from": "caller"`)
	r.ask("trunks").expect(t, 0, `pbx +up +1 +1 +1 +0`)
	r.ask("trunks", "disable").expect(t, 1, `name the trunk`)
	r.ask("trunks", "disable", "nobody").expect(t, 1, `no trunk "nobody"`)
	r.ask("trunks", "disable", "pbx").expect(t, 0, `^disabled pbx\n$`)
	r.hangup()
	r.ask("trunks").expect(t, 0, `pbx +disabled +1`)
	r.ask("trunks", "enable", "pbx", "--json").expect(t, 0, `"enabled": *true`)
	r.ask("trunks", "--match", "127.0.0.1").expect(t, 0, `NAME +MATCH +WHY`, `phones +127\.0\.0\.\S+ +the only match`)
	r.ask("trunks", "--match", "192.0.2.1").expect(t, 0, `^192.0.2.1 belongs to no trunk\n$`)
	r.ask("trunks", "--match", "user:nobody").expect(t, 0, `^user:nobody belongs to no trunk\n$`)
	r.ask("trunks", "--match", "192.0.2.0/24").expect(t, 1, `match is an IP address, user:NAME, listener:NAME or a name in a certificate`)
	var story admin.Story
	if err := json.Unmarshal([]byte(r.ask("call", id, "--json").out), &story); err != nil || story.Call == nil || story.Call.ID != id {
		t.Errorf("%+v, %v", story, err)
	}
	r.ask("hangup", id).expect(t, 0, `^hung up `+id)
	next(t, alice, "BYE").Reply(200, nil)
	next(t, bob, "BYE").Reply(200, nil)
	r.ask("call", id).expect(t, 0, `over: 200 OK, hung up by admin`)
	r.ask("ladder", id, "--json").expect(t, 0, `"method": "BYE"`, `"hung_up_by": "admin"`)
}

func TestATraceShowsTheCallsOfANumberAndHidesItIfAsked(t *testing.T) {
	alice, bob := agent(t), agent(t)
	dir := deployment(t, bob.Addr.String(), "")
	path := filepath.Join(dir, "legwork.yaml")
	write(t, path, read(t, path)+"\ncapture: {mask: [numbers]}\n")
	r := serve(t, dir)
	r.talk(alice, bob)
	r.ask("trace", "--number", "4711", "--for", "100ms", "--pages", dir).expect(t, 0, `sip:47\*\*@`, `in progress`, `1 call matched`)
	r.ask("ladder", r.id()).expect(t, 0, `sip:47\*\*@`)
	if pages, err := filepath.Glob(filepath.Join(dir, "*.html")); err != nil || len(pages) != 1 || strings.Contains(read(t, pages[0]), "4711") {
		t.Error(pages, err)
	}
	r.ask("trace", "--trunk", "nobody", "--for", "100ms").expect(t, 1, `there is no trunk "nobody"`)
	r.ask("trace").expect(t, 2, `--number or --trunk`)
	r.ask("trace", "--trunk", "pbx", "--for", "25h").expect(t, 1, `at most 24h`)
}

func TestWhatIsNotThereIsSaidSo(t *testing.T) {
	r := serve(t, deployment(t, "192.0.2.1", ""))
	r.ask("call", "nobody").expect(t, 1, `^legwork: no call "nobody" is in progress or remembered\n$`)
	r.ask("hangup", "nobody").expect(t, 1, `^legwork: no call "nobody" is in progress\n$`)
	r.ask("ladder", "nobody").expect(t, 1, `^legwork: no call "nobody" is remembered\n$`)
	nowhere := agent(t).Addr.String() // UDP: its TCP port is free
	run(t, ".", "calls", "--admin", nowhere).expect(t, 1, `^legwork: no Legwork answers at `+nowhere+`: start one`)
}

func TestDrainFromOutsideEndsTheProcess(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	call := r.talk(alice, bob)
	r.ask("drain").expect(t, 0, `^draining\n$`)
	r.waitFor(`msg=draining by=admin calls=1`)
	call.hangUp()
	if code := r.exit(); code != 0 {
		t.Errorf("exit %d\n%s", code, r.logged())
	}
}

func TestATokenOpensTheAPI(t *testing.T) {
	dir := deployment(t, "192.0.2.1", "")
	path := filepath.Join(dir, "legwork.yaml")
	write(t, path, strings.Replace(read(t, path), `"127.0.0.1:0"}`+"\nlimits", `"127.0.0.1:0", token: opensesame}`+"\nlimits", 1))
	r := serve(t, dir)
	r.ask("calls").expect(t, 1, `a bearer token is required: set --token or LEGWORK_TOKEN`)
	r.ask("calls", "--token", "wrong").expect(t, 1, `a bearer token is required`)
	r.ask("calls", "--token", "opensesame").expect(t, 0, `no calls`)
	r.ask("calls", "-c", "legwork.yaml").expect(t, 0, `no calls`)
	if strings.Contains(r.logged(), "opensesame") {
		t.Error("the token is in the log")
	}
}

func TestWhoAsksNeedsNoMoreThanTheAddress(t *testing.T) {
	r := serve(t, deployment(t, "192.0.2.1", ""))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "legwork.yaml"), "admin: {address: \""+r.admin+"\"}\nscript: gone.lua\nnonsense: ${NO_SUCH}\n"+
		"trunks: {a: {targets: [\"sip:192.0.2.1\"], auth: {user: a, password: !file not/mine}}}\n")
	run(t, dir, "calls").expect(t, 0, `^no calls\n$`)
	write(t, filepath.Join(dir, "legwork.yaml"), "admin: {adress: \""+r.admin+"\"}\n")
	run(t, dir, "calls").expect(t, 2, `legwork\.yaml:1:9: unknown key "adress"; did you mean "address"\?`)
	write(t, filepath.Join(dir, "legwork.yaml"), "admin: {\n")
	run(t, dir, "calls").expect(t, 2, `legwork\.yaml:1:8: `)
}

func TestReloadSaysWhatIsLive(t *testing.T) {
	r := serve(t, deployment(t, "192.0.2.1", ""))
	main := filepath.Join(r.dir, "main.lua")
	good := read(t, main)
	r.ask("reload").expect(t, 0, `^reloaded: main\.lua@\w{8}\n$`)
	write(t, main, good+"nonsense\n")
	r.ask("reload").expect(t, 2, `^legwork: scripts are not reloaded: \S*main\.lua:3\d`)
	yaml := filepath.Join(r.dir, "legwork.yaml")
	write(t, main, good)
	write(t, yaml, read(t, yaml)+"nonsense: 1\n")
	r.ask("reload").expect(t, 2, `^legwork: configuration is not reloaded: \S*legwork\.yaml:\d+:1: unknown key "nonsense"`)
	write(t, yaml, strings.TrimSuffix(read(t, yaml), "nonsense: 1\n"))
	var s script.Status
	if err := json.Unmarshal([]byte(r.ask("reload", "--json").out), &s); err != nil || !strings.HasPrefix(s.Name, "main.lua@") {
		t.Errorf("%+v, %v", s, err)
	}
	write(t, yaml, read(t, yaml)+"sip: {t1: 400ms}\n")
	r.ask("reload").expect(t, 0, `^reloaded: main\.lua@\w{8}\nchanged, but only a restart helps: sip\.t1\n$`)
	r.ask("reload", "--json").expect(t, 0, `"restart_needed": \[\s+"sip\.t1"\s+\]`)
}

// newTrunk is added to a running configuration.
const newTrunk = "  another: {targets: [\"sip:192.0.2.7\"]}\n"

func TestASavedConfigurationIsLive(t *testing.T) {
	r := serve(t, deployment(t, "192.0.2.1", ""))
	yaml := filepath.Join(r.dir, "legwork.yaml")
	write(t, yaml, read(t, yaml)+newTrunk+"sip: {user_agent: other}\n")
	r.waitFor(`only a restart helps" keys=sip`)
	r.waitFor(`configuration reloaded" by="file change"`)
	r.ask("trunks").expect(t, 0, `another +up`)
	write(t, yaml, "trunk: {}\n")
	r.waitFor(`level=ERROR msg="reload failed" err=.*did you mean \\"trunks\\"`)
	r.ask("trunks").expect(t, 0, `another +up`)
}

func TestSIGHUPReloadsAndFollowsRotatedRecords(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), "cdr: [{kind: jsonl, path: cdr.jsonl}]\n"))
	records := filepath.Join(r.dir, "cdr.jsonl")
	r.talk(alice, bob).hangUp()
	move(t, records, records+".1")
	yaml := filepath.Join(r.dir, "legwork.yaml")
	write(t, yaml, strings.Replace(read(t, yaml), "cdr:", newTrunk+"cdr:", 1))
	r.hangup()
	r.ask("trunks").expect(t, 0, `another +up`)
	r.talk(alice, bob).hangUp()
	r.ask("drain")
	if code := r.exit(); code != 0 {
		t.Fatalf("exit %d\n%s", code, r.logged())
	}
	for _, file := range []string{records + ".1", records} {
		var record b2bua.Record
		if err := json.Unmarshal([]byte(read(t, file)), &record); err != nil || record.Code != 200 || len(record.Attempts) != 1 || !strings.HasPrefix(record.Script, "main.lua@") {
			t.Errorf("%s: %+v, %v", file, record, err)
		}
	}
}

func TestABrokenScriptThatIsSavedChangesNothing(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	main := filepath.Join(r.dir, "main.lua")
	good := read(t, main)
	write(t, main, good+"nonsense\n")
	r.waitFor(`script not loaded; the old one stays.*script=main.lua line=3\d`)
	r.talk(alice, bob).hangUp()
	write(t, main, strings.Replace(good, `"hello"`, `"hello"; req.h["X-New"] = "changed"`, 1))
	r.waitFor(`(?s)msg="script loaded".*msg="script loaded"`)
	invite := alice.Invite("sip:4711@"+r.udp, demoSDP)
	if _, err := alice.Send(invite, r.udp); err != nil {
		t.Fatal(err)
	}
	in := next(t, bob, "INVITE")
	if got := in.Get("X-New"); got != "changed" {
		t.Errorf("X-New is %q", got)
	}
	in.Reply(486, nil)
	next(t, alice, "480")
}

func TestMetricsCountWhatIsMalformed(t *testing.T) {
	alice := agent(t)
	r := serve(t, deployment(t, "192.0.2.1", ""))
	if err := alice.SendRaw([]byte("INVITE sip:4711@192.0.2.1 SIP/2.0\r\nCSeq: nonsense\r\n\r\n"), r.udp); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Send(alice.Invite("sip:12@"+r.udp, demoSDP), r.udp); err != nil {
		t.Fatal(err)
	}
	next(t, alice, "404") // so the line before it has been read
	text, err := (&remote{Admin: r.admin}).fetch("GET", "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"legwork_malformed_total 1\n", "legwork_script_reloads_total", "legwork_calls_active "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestWhyASourceBelongsToATrunkIsSaid(t *testing.T) {
	for _, c := range []struct {
		source string
		hits   []admin.Trunk
		want   []string
	}{
		{"192.0.2.1", []admin.Trunk{{Match: "192.0.2.0/24"}}, []string{"the only match"}},
		{"192.0.2.1", []admin.Trunk{{Match: "192.0.2.1"}, {Match: "192.0.2.0/24"}}, []string{"the longest prefix", "shorter than 192.0.2.1"}},
		{"192.0.2.1", []admin.Trunk{{Match: "a.example (192.0.2.1)", Host: true}}, []string{"an address of that name"}},
		{"192.0.2.1", []admin.Trunk{{Match: "192.0.2.1", Name: "a"}, {Match: "b.example (192.0.2.1)", Host: true, Rival: true}}, []string{"the longest prefix", "the same address, which a names itself"}},
		{"192.0.2.1", []admin.Trunk{{Match: "a.example (192.0.2.1)", Name: "a", Host: true}, {Match: "b.example (192.0.2.1)", Name: "b", Host: true, Rival: true}}, []string{"an address of that name", "the same address; a comes before b"}},
		{"A.example", []admin.Trunk{{Match: "a.example"}}, []string{"a name in its certificate, whatever its address"}},
		{"192.0.2.1", []admin.Trunk{{Match: "192.0.2.1", Barred: true}}, []string{"the only match; but its acl keeps it out"}},
		{"user:bob", []admin.Trunk{{Match: "user:bob"}}, []string{"its user, wherever it comes from"}},
		{"192.0.2.1", []admin.Trunk{{Match: "listener:a"}, {Match: "listener:b"}}, []string{"what comes there and fits no other", "what comes there and fits no other"}},
	} {
		for i, row := range reasons(c.source, c.hits) {
			if row[2] != c.want[i] {
				t.Errorf("%s: got %q, want %q", c.source, row[2], c.want[i])
			}
		}
	}
}
