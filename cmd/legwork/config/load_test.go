package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// environment is what ${NAME} sees in these tests.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"CALLS": "12", "HOST": "192.0.2.9", "EMPTY": "", "WAIT": "2s", "NESTED": "${HOST}"}[name]
	return v, ok
}

// folder has the files that a configuration under test may name.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"hash": strings.Repeat("5A", 32), "main.lua": "return {}", "profile.lua": "return {}", "token": "  s3cret\n", "blank": "\n",
		"large": strings.Repeat("x", maxSecret+1), "users.yaml": users,
		"mixed.yaml": users, "hashed.yaml": "a: " + strings.Repeat("5A", 32) + "\nb: x\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

const users = `
# two ways for each
alice: wonder land
"1001": {password: "${HOST}"}
bob: 0123456789ABCDEF0123456789abcdef
carol@a.example: {ha1: !file hash}
dave: {password: 0123456789abcdef0123456789abcdef}
erin: !file token
`

// load reads src as the legwork.yaml of dir; problems name the file alone.
func load(dir, src string) (*Config, error) {
	cfg, err := Parse(filepath.Join(dir, "legwork.yaml"), []byte(src), environment)
	if ps, ok := errors.AsType[Problems](err); ok {
		for i := range ps {
			ps[i].File = "legwork.yaml"
			ps[i].Msg = strings.ReplaceAll(ps[i].Msg, dir+string(filepath.Separator), "DIR/")
		}
		return nil, ps
	}
	return cfg, err
}

const whole = `
listen:
  - {name: edge, transport: udp, address: "0.0.0.0:5060", advertise: "203.0.113.7:5060"}
  - {transport: tcp, address: "[2001:db8::1]:5060", acl: {allow: ["2001:db8::/32"]}}
script: main.lua
default_route: pbx
unknown_sources: drop
trunks:
  carrier-a:
    match: ["198.51.100.0/28", "sip.carrier.example", "2001:db8::/32"]
    targets: ["sip:sbc1.carrier.example;transport=tcp", {uri: "sip:${HOST}", weight: 3, priority: 1}]
    listen: edge
    limits: {calls: "${CALLS}", cps: 20}
    headers: {preset: none, pass: [Diversion], set: {X-Site: "a$$b"}, drop: [Subject]}
    responses: {503: 480, "6xx": [486, Busy Here], "400-499": false, "*": 500}
    profile: profile.lua
    auth: {user: acct, password: !file token}
    prack: off
    diversion: history
    timer: {expires: 1800, refresher: uac}
    params: {country: DE, n: 3, share: 0.5, on: true, list: [1, {x: y}], key: !file token}
  pbx:
    match: [198.51.100.0/29]
    targets: ["sip:10.0.0.5:5060"]
    timer: false
    profile: {cucm: profile.lua, params: {mask: "+1888XXXXXXX", n: 3}}
users: {file: users.yaml, realm: "${REALM:-home}"}
registrar: {enabled: true, expires: {min: 30, default: 2m, max: 120}}
admin: {address: "0.0.0.0:8060", token: !file token}
store: {kind: memory}
cdr: [{kind: jsonl, path: logs/cdr.jsonl}]
limits: {calls: 1, cps: 2, per_source_cps: 3, overload: {queue_delay: "${WAIT}"}}
sip: {t1: 250ms, t2: 2s, max_message: 20000, udp_max: 1300, user_agent: us, max_duration: 1h30m, timer: {expires: 10m, min: 100}}
acl: {allow: [198.51.100.0/24, "2001:db8::/32"], deny: [198.51.100.13]}
ban: {after: 5, window: 10s, for: 2m}
capture: {ring: 0}
replay: {path: decisions, max_size: 64MiB, max_age: 24h}
log: {level: "${LEVEL:-debug}", format: json}
leaks: {words: [pbx.inside], networks: ["10.0.0.0/8"], every: 7}
deploy: {bench: {errors: 7, window: 30s}}
drain: {timeout: 0s}
`

func TestEveryKeyOfTheFileArrives(t *testing.T) {
	dir := folder(t)
	got, err := load(dir, whole)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Listen: []Listener{
			{Name: "edge", Transport: "udp", Address: "0.0.0.0:5060", Advertise: "203.0.113.7:5060"},
			{Name: "tcp", Transport: "tcp", Address: "[2001:db8::1]:5060", ACL: ACL{Allow: []string{"2001:db8::/32"}}},
		},
		Path: filepath.Join(dir, "legwork.yaml"), Script: filepath.Join(dir, "main.lua"), DefaultRoute: "pbx", UnknownSources: UnknownDrop,
		Trunks: map[string]*Trunk{
			"carrier-a": {
				Match:     []string{"198.51.100.0/28", "sip.carrier.example", "2001:db8::/32"},
				Targets:   []Target{{URI: "sip:sbc1.carrier.example;transport=tcp", Weight: 1}, {URI: "sip:192.0.2.9", Weight: 3, Priority: 1}},
				Listen:    "edge",
				Limits:    TrunkLimits{Calls: 12, CPS: 20},
				Headers:   Headers{Preset: PresetNone, Pass: []string{"Diversion"}, Set: map[string]string{"X-Site": "a$b"}, Drop: []string{"Subject"}},
				Responses: Responses{{From: "503", Code: 480}, {From: "6xx", Code: 486, Text: "Busy Here"}, {From: "400-499", Pass: true}, {From: "*", Code: 500}},
				Profile:   &Profile{Lua: filepath.Join(dir, "profile.lua")},
				Params:    Params{"country": "DE", "n": int64(3), "share": 0.5, "on": true, "list": []any{int64(1), map[string]any{"x": "y"}}, "key": "s3cret"},
				Auth:      &Auth{User: "acct", Password: "s3cret"},
				PRACK:     PRACKOff,
				Diversion: DiversionHistory, Media: MediaDirect,
				Timer: &TrunkTimer{Expires: Seconds(30 * time.Minute), Min: Seconds(100 * time.Second), Refresher: "uac"},
			},
			"pbx": {
				Match: []string{"198.51.100.0/29"}, Targets: []Target{{URI: "sip:10.0.0.5:5060", Weight: 1}},
				PRACK: PRACKInterwork, Diversion: DiversionKeep, Media: MediaDirect, Timer: &TrunkTimer{Off: true},
				Profile: &Profile{CUCM: filepath.Join(dir, "profile.lua"), Params: Params{"mask": "+1888XXXXXXX", "n": int64(3)}},
			},
		},
		Users: Users{File: filepath.Join(dir, "users.yaml"), Realm: "home", Accounts: map[string]Account{
			"alice": {Password: "wonder land"}, "1001": {Password: "192.0.2.9"}, "bob": {HA1: "0123456789abcdef0123456789abcdef"},
			"carol@a.example": {HA1: Secret(strings.Repeat("5a", 32))}, "dave": {Password: "0123456789abcdef0123456789abcdef"}, "erin": {Password: "s3cret"},
		}},
		Registrar: Registrar{Enabled: true, Expires: RegistrarExpires{
			Min: Seconds(30 * time.Second), Default: Seconds(2 * time.Minute), Max: Seconds(2 * time.Minute),
		}},
		Admin: Admin{Address: "0.0.0.0:8060", Token: "s3cret"},
		Media: Media{Mode: MediaDirect}, Store: Store{Kind: "memory"},
		CDR: []CDR{{Kind: "jsonl", Path: filepath.Join(dir, "logs/cdr.jsonl")}}, Replay: Replay{Path: filepath.Join(dir, "decisions"), MaxSize: 64 << 20, MaxAge: 24 * time.Hour},
		ACL:    ACL{Allow: []string{"198.51.100.0/24", "2001:db8::/32"}, Deny: []string{"198.51.100.13"}},
		Ban:    Ban{After: 5, Window: 10 * time.Second, For: 2 * time.Minute},
		Limits: Limits{Calls: 1, CPS: 2, PerSourceCPS: 3, Overload: Overload{QueueDelay: 2 * time.Second}},
		SIP:    SIP{T1: 250 * time.Millisecond, T2: 2 * time.Second, MaxMessage: 20000, UDPMax: 1300, UserAgent: "us", MaxDuration: 90 * time.Minute, Timer: Timer{Expires: Seconds(10 * time.Minute), Min: Seconds(100 * time.Second)}},
		Log:    Log{Level: "debug", Format: "json"},
		Deploy: Deploy{Bench: Bench{Errors: 7, Window: 30 * time.Second}},
		Leaks:  Leaks{Words: []string{"pbx.inside"}, Networks: []string{"10.0.0.0/8"}, Every: 7},
		Warnings: Problems{{
			File: filepath.Join(dir, "legwork.yaml"), Line: 27, Col: 15, Cure: "give all the same kind, or passwords",
			Msg: "users.file: some users have an MD5 HA1 and some one of SHA-256: a phone answers the kind it likes best, whatever its user has",
		}},
		Files: []string{filepath.Join(dir, "hash"), filepath.Join(dir, "token"), filepath.Join(dir, "users.yaml")},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", show(got), show(want))
	}
}

// show looks behind the pointers to trunks.
func show(c *Config) string {
	s := fmt.Sprintf("%+v", *c)
	for name, trunk := range c.Trunks {
		s += fmt.Sprintf("\n%s: %+v %+v %+v", name, *trunk, trunk.Auth, trunk.Timer)
	}
	return s
}

func TestAnEmptyFileIsTheDefaults(t *testing.T) {
	for _, src := range []string{"", "# nothing\n", "---\n", "log: {}\n...\n", "\ufeff", "trunks:\n", "limits: {}\n", "sip:\n"} {
		got, err := load(t.TempDir(), src)
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		want := Default()
		if got.Trunks, got.Path = nil, ""; !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", src, got, want)
		}
	}
}

func TestAListInTheFileReplacesTheDefaultList(t *testing.T) {
	got, err := load(t.TempDir(), "listen:\n  - transport: udp\n    address: 127.0.0.1:0\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Listener{{Name: "udp", Transport: "udp", Address: "127.0.0.1:0"}}
	if !reflect.DeepEqual(got.Listen, want) {
		t.Errorf("got %+v", got.Listen)
	}
}

func TestWindowsLineEndsAndWideCharactersKeepTheColumns(t *testing.T) {
	_, err := load(t.TempDir(), "# ünïcode\r\nlog:\r\n  level: debug\r\ndrain: {ü: 1}\r\n")
	want := `legwork.yaml:4:9: unknown key "ü"; known: timeout`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAMissingFileIsNotAProblemOfTheFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "legwork.yaml"), environment)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if ps, ok := errors.AsType[Problems](err); ok {
		t.Errorf("got Problems %v", ps)
	}
}

func TestLoadResolvesAgainstTheFolderOfTheFile(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "legwork.yaml")
	if err := os.WriteFile(path, []byte("script: main.lua\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path, environment)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "main.lua"); cfg.Script != want {
		t.Errorf("got %s, want %s", cfg.Script, want)
	}
}

func TestDeepNestingIsRefusedBeforeItIsParsed(t *testing.T) {
	for _, open := range []string{"[", "{a: ", "- ", "!x ", "&a ", "? "} {
		for _, depth := range []int{maxDepth + 1, 200_000} {
			_, err := load(t.TempDir(), "trunks: "+strings.Repeat(open, depth))
			if err == nil || !strings.Contains(err.Error(), errDepth.Error()) {
				t.Errorf("%d of %q: got %.200v", depth, open, err)
			}
		}
	}
}

func TestProblemsAreCounted(t *testing.T) {
	_, err := load(t.TempDir(), strings.Repeat("a: 1\nb: 1\n", 5000))
	if ps, ok := errors.AsType[Problems](err); !ok || len(ps) != maxProblems {
		t.Errorf("got %d problems", len(ps))
	}
}

func TestRestartIsNeededForWhatIsOpenedAtStart(t *testing.T) {
	dir := folder(t)
	before, err := load(dir, whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{"", "", ""},
		{"address: \"0.0.0.0:5060\"", "address: \"0.0.0.0:5070\"", "listen"},
		{"script: main.lua", "", "script"},
		{"address: \"0.0.0.0:8060\"", "address: \"127.0.0.1:8060\"", "admin"},
		{"t1: 250ms", "t1: 500ms", "sip.t1"},
		{"min: 100}", "min: 101}", ""},
		{"file: users.yaml,", "", ""},
		{"enabled: true", "enabled: false", ""},
		{"user: acct", "user: other", ""},
		{"path: logs/cdr.jsonl", "path: cdr.jsonl", "cdr"},
		{"capture: {ring: 0}", "capture: {ring: 1}", "capture"},
		{"format: json", "format: text", "log.format"},
		{"level: \"${LEVEL:-debug}\"", "level: error", ""},
		{"default_route: pbx", "default_route: carrier-a", ""},
		{"unknown_sources: drop", "unknown_sources: allow", ""},
		{"cps: 20", "cps: 21", ""},
		{"calls: 1,", "calls: 9,", ""},
		{"timeout: 0s", "timeout: 1s", ""},
	} {
		after, err := load(dir, strings.Replace(whole, c.from, c.to, 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(RestartNeeded(before, after), " "); got != c.want {
			t.Errorf("%s -> %s: got %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

// The page that configurations are written from has them all in one example.
func TestWhatIsSoAlreadyMaySayItself(t *testing.T) {
	for src, warned := range map[string]int{
		"media: {mode: direct}":         0,
		"media: {}":                     0,
		"capture: {ring: 5, hep: \"\"}": 0,
		"trunks: {a: {match: [192.0.2.1], media: direct}}":                                                            0,
		"media: {mode: direct, relay: {address: 192.0.2.7, ports: 20000-29999}, rtpengine: [\"udp:192.0.2.7:2223\"]}": 2,
	} {
		c, err := load(t.TempDir(), src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if len(c.Warnings) != warned {
			t.Errorf("%s: %v", src, c.Warnings)
		}
	}
}
