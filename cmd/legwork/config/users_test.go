package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loadUsers reads src as the users.yaml of a configuration.
func loadUsers(t *testing.T, src string) (*Config, error) {
	t.Helper()
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Parse(filepath.Join(dir, "legwork.yaml"), []byte("users: {file: mine.yaml}"), environment)
	if ps, ok := errors.AsType[Problems](err); ok {
		for i := range ps {
			ps[i].File = strings.TrimPrefix(ps[i].File, dir+string(filepath.Separator))
			ps[i].Msg = strings.ReplaceAll(ps[i].Msg, dir+string(filepath.Separator), "DIR/")
		}
	}
	return cfg, err
}

func TestATrunksUserMustBeOne(t *testing.T) {
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte("alice: wonder"), 0o600); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{"alice": "", "alcie": `match: no user "alcie" in users.file; did you mean "alice"?`} {
		_, err := Parse(filepath.Join(dir, "legwork.yaml"), []byte("users: {file: mine.yaml}\ntrunks: {a: {match: [\"user:"+user+"\"]}}"), environment)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasSuffix(err.Error(), want)) {
			t.Errorf("%s: got %v", user, err)
		}
	}
}

func TestAMistakeInTheUsersIsNamedInTheirFileWithoutThePassword(t *testing.T) {
	for _, c := range []mistake{
		{"hunter2\n", `mine.yaml:1:1: want a mapping of user names to passwords; write name: password`},
		{"- hunter2\n", `mine.yaml:1:1: want a mapping of user names to passwords; write name: password`},
		{"bob:hunter2\n", `mine.yaml:1:1: want a mapping of user names to passwords; write name: password`},
		{"bob: x\nalice:hunter2\n", `mine.yaml:2:1: non-map value is specified; write key: value, with a space behind the colon`},
		{"a:b: hunter2\n", `mine.yaml:1:1: "a:b" is not the name of a user; up to 128 characters without colons, quotes and backslashes`},
		{"bob: {pasword: hunter2}\n", `mine.yaml:1:7: unknown key "pasword"; did you mean "password"?`},
		{"bob: 1234567\n", `mine.yaml:1:6: bob: want a string; put it in quotes`},
		{"bob: .inf\n", `mine.yaml:1:6: bob: want a string; put it in quotes`},
		{"bob: {password: [hunter2]}\n", `mine.yaml:1:17: bob.password: want a string, not a list; write one value, without brackets`},
		{"bob: !hunter2 x\n", `mine.yaml:1:6: bob: the only tag here is !file; put a value that begins with ! in quotes`},
		{"bob: *hunter2\n", `mine.yaml:1:6: bob: anchors and aliases are not taken; put a value that begins with & or * in quotes`},
		{"bob: |hunter2\n", `mine.yaml:1:6: text behind a | or >; put a value that begins with | or > in quotes`},
		{"bob: |\n  hunter2\n  more\n", `mine.yaml:1:6: bob: control character in the password; remove it`},
		{"bob:\n", `mine.yaml:1:6: bob: want a string, not nothing; write one behind the colon, or remove the key`},
		{"bob: \"\"\n", `mine.yaml:1:6: bob: no password; give one, or remove the user`},
		{"bob: {}\n", `mine.yaml:1:6: bob: no password; give one, or remove the user`},
		{"bob: {password: a, ha1: 0123456789abcdef0123456789abcdef}\n", `mine.yaml:1:6: bob: both password and ha1; remove one of them`},
		{"bob: {ha1: hunter2}\n", `mine.yaml:1:6: bob: ha1 is not 32 (MD5) or 64 (SHA-256) hexadecimal digits; a password is password: ...`},
		{"bob: x\nalice: y\nbob: z\n", `mine.yaml:3:1: key "bob" stands in line 1 already; remove one of them`},
		{"\"\": x\n", `mine.yaml:1:1: "" is not the name of a user; up to 128 characters without colons, quotes and backslashes`},
		{"'a\"b': x\n", `mine.yaml:1:1: "a\"b" is not the name of a user; up to 128 characters without colons, quotes and backslashes`},
		{"bob: !file nothing\n", `mine.yaml:1:6: bob: open DIR/nothing: no such file or directory; name a file that holds the secret`},
		{"bob: ${NO_SUCH}\n", `mine.yaml:1:6: bob: environment variable NO_SUCH is not set; set it, or write ${NO_SUCH:-default}`},
		{"#" + strings.Repeat("x", maxFile), `mine.yaml:1:1: the file is larger than 1048576 bytes; take out what is not used`},
	} {
		_, err := loadUsers(t, c.src)
		if err == nil || err.Error() != c.want {
			t.Errorf("%.40q:\n     got %v\n    want %s", c.src, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q shows the password", c.src)
		}
	}
}

func TestAnEmptyFileOfUsersIsNobody(t *testing.T) {
	for _, src := range []string{"", "# none yet\n", "{}\n"} {
		cfg, err := loadUsers(t, src)
		if err != nil || cfg.Users.Accounts == nil || len(cfg.Users.Accounts) != 0 {
			t.Errorf("%q: %v, %v", src, cfg, err)
		}
	}
}

func TestProblemsOfBothFilesAreToldTogether(t *testing.T) {
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "users.yaml"), []byte("bob:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Parse(filepath.Join(dir, "legwork.yaml"), []byte("users: {file: users.yaml}\ntrunk: {}\n"), environment)
	want := dir + "/legwork.yaml:2:1: unknown key \"trunk\"; did you mean \"trunks\"?\n" + dir + "/users.yaml:1:6: bob: want a string, not nothing; write one behind the colon, or remove the key"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestWhatIsHardlyMeantIsWarnedOf(t *testing.T) {
	const listen = "listen: [{transport: udp, address: \"192.0.2.1:5060\"}, {name: t, transport: tcp, address: \"192.0.2.1:5060\"}]\n"
	for _, c := range []mistake{
		{"registrar: {enabled: true}", `legwork.yaml:1:22: registrar: there are no users: what trunks may send registers without a password; name them in users.file`},
		{"registrar: {enabled: true}\nusers: {file: hashed.yaml}", ""},
		{"registrar: {enabled: false}", ""},
		{
			"users: {file: mixed.yaml}",
			`legwork.yaml:1:15: users.file: some users have an MD5 HA1 and some one of SHA-256: a phone answers the kind it likes best, whatever its user has; give all the same kind, or passwords`,
		},
		{
			listen + `trunks: {a: {targets: ["sip:a.example", "sip:b.example;transport=UDP;lr"], listen: t}}`,
			`legwork.yaml:2:84: listen: "t" is for tcp, and no target of trunk "a" is: its calls leave from another listener; name a listener of their transport, or write ;transport=tcp behind them`,
		},
		{listen + `trunks: {a: {targets: ["sip:a.example", "sip:b.example;lr;transport=tcp?x=y"], listen: t}}`, ""},
		{listen + `trunks: {a: {match: [a.example], listen: t}}`, ""},
	} {
		cfg, err := load(folder(t), c.src)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		for i := range cfg.Warnings {
			cfg.Warnings[i].File = "legwork.yaml"
		}
		if got := cfg.Warnings.Error(); got != c.want {
			t.Errorf("%s:\n     got %s\n    want %s", c.src, got, c.want)
		}
	}
}
