package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/pcap"
	"legwork/b2bua/resolve"
	"legwork/cmd/legwork/config"
	"legwork/script"
	"legwork/script/canned"
	"legwork/script/luatest"
)

type explainCommand struct {
	Message   string        `arg:"" placeholder:"MESSAGE.sip" help:"An INVITE, or a request outside any call, as text or in a capture (pcap, pcapng); - reads standard input."`
	Config    string        `short:"c" placeholder:"FILE" help:"Configuration; default: ./legwork.yaml if it is there, else the main.lua here."`
	Script    string        `placeholder:"FILE.lua" help:"A script in place of the configured one."`
	CallID    string        `name:"call-id" placeholder:"ID" help:"Of the call in a capture."`
	Number    string        `placeholder:"NUMBER" help:"The first call in a capture from or to it: a user, or the last digits of a number."`
	FromTrunk string        `name:"from-trunk" placeholder:"TRUNK" help:"The call comes from this trunk."`
	Source    string        `placeholder:"IP" help:"The call comes from this address."`
	B         []string      `name:"b" sep:"none" placeholder:"ANSWERS" help:"What the targets do, one --b each in turn, the last for all behind it: codes and delays (\"180 5s 200\"), silent, or refuse. Default: \"180 200\"."`
	At        string        `placeholder:"WHEN" help:"When the call comes: a time (2026-11-20T08:00), or a duration before now (48h); default: now."`
	Talk      time.Duration `default:"10s" help:"From the answer until the caller hangs up."`
	Cancel    time.Duration `placeholder:"DURATION" help:"The caller gives up when nobody has answered by then."`
	Stub      []string      `placeholder:"FILE.json" type:"path" help:"Answers to the script's look-ups."`
	Record    string        `placeholder:"FILE.json" type:"path" help:"Make the look-ups for real and write their answers here, for --stub."`
	JSON      bool          `help:"Print JSON."`
	screen
	HTML string `name:"html" placeholder:"FILE" type:"path" help:"Also write the call as one page for a browser."`
}

// Run plays the call: exit status 1 when a script failed in it, 2 for what the
// user has to mend.
func (c *explainCommand) Run(t *terminal) error {
	s, err := c.suite()
	if err != nil {
		return mend(err)
	}
	scene, err := c.scene(t)
	if err != nil {
		return mend(err)
	}
	cfg := s.config()
	var open *databases
	if c.Record != "" {
		if open, err = openDatabases(s.cfg); err != nil {
			return mend(err)
		}
		outside := canned.NewOutside(&http.Transport{TLSHandshakeTimeout: 5 * time.Second})
		cfg.Lib, cfg.Record = scriptSurroundings(open), &canned.Recorder{Outside: outside}
		cfg.Lib.DNS, cfg.Lib.Transport = resolve.New(resolve.Config{}), outside
		impatient(t)
	}
	onVirtualTime(func(test *testing.T) int {
		cfg.Bubble = func(f func()) { bubble(test, f) }
		played, err := luatest.Play(cfg, *scene)
		if err != nil {
			return t.fail(mend(flagged(s.named(err))))
		}
		if err := c.keep(cfg.Record, open); err != nil {
			return t.fail(mend(err))
		}
		return t.fail(c.tell(t, s, scene, played))
	})
	return nil // not reached: onVirtualTime ends the process
}

// suite finds configuration and scripts.
func (c *explainCommand) suite() (*suite, error) {
	if c.Script != "" && c.Config == "" {
		if _, err := os.Stat(usualFile); err != nil {
			s := &suite{cfg: config.Default(), source: script.Source{Path: c.Script}, made: true}
			return s, s.meet()
		}
	}
	s, err := suiteHere(c.Config)
	if err != nil {
		return nil, err
	}
	if c.Script != "" {
		s.source = script.Source{Path: c.Script}
	}
	return s, s.meet()
}

// flagged names the flags where a test has keys.
func flagged(err error) error {
	text := err.Error()
	if !strings.HasPrefix(text, "from_trunk") {
		return err
	}
	text = strings.Replace(text, "false for a source that nobody knows", "--source IP", 1)
	return errors.New("--from-trunk" + strings.TrimPrefix(text, "from_trunk"))
}

// named makes an error of a script say its file as an editor finds it.
func (s *suite) named(err error) error {
	if problems, ok := errors.AsType[script.Problems](err); ok {
		for i := range problems {
			problems[i].File = s.fromHere(problems[i].File)
		}
		return problems
	}
	return err
}

// scene is the call that is played.
func (c *explainCommand) scene(t *terminal) (*luatest.Scene, error) {
	scene := &luatest.Scene{Trunk: c.FromTrunk, At: time.Now(), Talk: c.Talk, Cancel: c.Cancel}
	if c.At != "" {
		at, err := when("--at", c.At)
		if err != nil {
			return nil, err
		}
		scene.At = at
	}
	for _, text := range c.B {
		one, err := luatest.ParseCallee(text)
		if err != nil {
			return nil, fmt.Errorf("--b %w", err)
		}
		scene.Callees = append(scene.Callees, one)
	}
	if c.Source != "" {
		at, err := netip.ParseAddr(strings.Trim(c.Source, "[]"))
		if err != nil {
			return nil, fmt.Errorf("--source %s: want an IP address such as 192.0.2.1", c.Source)
		}
		if c.FromTrunk != "" {
			return nil, errors.New("--source and --from-trunk say both where the call comes from; give one")
		}
		scene.Source = at
	}
	var err error
	if scene.Stubs, err = stubsOf(c.Stub); err != nil {
		return nil, err
	}
	return scene, c.read(t, scene)
}

// stubsOf reads files of answers to look-ups.
func stubsOf(files []string) ([]canned.Stub, error) {
	var all []canned.Stub
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		list, err := canned.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s, %w", nearest(file), err)
		}
		all = append(all, list...)
	}
	return all, nil
}

// maxInput bounds what is read of a message or a capture.
const maxInput = 256 << 20

// read finds the request.
func (c *explainCommand) read(t *terminal, scene *luatest.Scene) error {
	var in io.ReadCloser = os.Stdin
	if c.Message != "-" {
		file, err := os.Open(c.Message)
		if err != nil {
			return err
		}
		in = file
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxInput))
	if err != nil {
		return err
	}
	if pcap.Is(b) {
		return c.find(t, b, scene)
	}
	if c.CallID != "" || c.Number != "" {
		return fmt.Errorf("%s is no capture: --call-id and --number pick a call out of one", c.Message)
	}
	m, err := luatest.Playable(string(b))
	if err != nil {
		return fmt.Errorf("%s %w", c.Message, err)
	}
	scene.Request, scene.Seen = string(b), viaOf(m)
	return nil
}

// find picks the call out of a capture.
func (c *explainCommand) find(t *terminal, b []byte, scene *luatest.Scene) error {
	_, call, err := t.pick(bytes.NewReader(b), pcap.Wish{CallID: c.CallID, Number: c.Number, Alone: true})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Message, err)
	}
	invite := call.Invite()
	if bad := luatest.Refused(invite.Message); bad != nil {
		return fmt.Errorf("%s: the %s of call %s is no SIP message that a call can come of: %w; the caller would get 400", c.Message, invite.Message.Method, printable(invite.CallID()), bad)
	}
	scene.Request, scene.Seen = string(invite.Raw), invite.From.Addr()
	return nil
}

// viaOf is the address that the topmost Via says that a request came from.
func viaOf(m *message.Message) netip.Addr {
	via, ok := m.Via()
	if !ok {
		return netip.Addr{}
	}
	host := strings.Trim(via.Host, "[]")
	if received, ok := via.Params.Get("received"); ok {
		host = received
	}
	at, _ := netip.ParseAddr(host)
	return at
}

// keep writes down what was looked up.
func (c *explainCommand) keep(record *canned.Recorder, open *databases) error {
	if record == nil {
		return nil
	}
	open.Close()
	file, err := os.Create(c.Record)
	if err != nil {
		return err
	}
	_, err = record.WriteTo(file)
	return errors.Join(err, file.Close())
}

// lookupLimit is how long look-ups that are recorded may take in all. Deadlines
// hold for each, but a script may make many.
const lookupLimit = time.Minute

func impatient(t *terminal) {
	time.AfterFunc(lookupLimit, func() {
		fmt.Fprintf(t.err, "legwork: the look-ups took more than %s\n", lookupLimit)
		os.Exit(2)
	})
}
