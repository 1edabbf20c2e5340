package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/capture"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/cmd/legwork/config"
	"legwork/examples"
)

type demoCommand struct {
	Fast bool `help:"Play on virtual time, without sockets, and let one call last an hour." xor:"how"`
	Stay bool `help:"Stay until Ctrl-C, so that the admin API and the script can be tried." xor:"how"`
}

// Run plays the demo.
func (c *demoCommand) Run(t *terminal) error {
	if !c.Fast {
		d := demo{terminal: t, network: transport.System{}, admin: "127.0.0.1:0", ring: 60 * time.Millisecond, talk: 400 * time.Millisecond, stay: c.Stay}
		return d.play()
	}
	began := time.Now()
	onVirtualTime(func(test *testing.T) int {
		var err error
		bubble(test, func() {
			d := demo{terminal: t, network: simnet.New(simnet.Faults{}), ring: 4 * time.Second, talk: time.Hour}
			err = d.play()
		})
		if err == nil {
			t.printf("All of this, an hour of talk included, took %s.\n", time.Since(began).Round(time.Millisecond))
		}
		return t.fail(err)
	})
	return nil // not reached: onVirtualTime ends the process
}

// demo is examples/hello at work between two agents.
type demo struct {
	*terminal
	network transport.Network
	admin   string        // address of the API; "": none
	ring    time.Duration // of calls that ring
	talk    time.Duration // of the answered call
	stay    bool

	dir     string // the example's files
	sbc     string // the engine's address
	engine  *engine
	alice   *simnet.Agent // the caller
	pbx     *simnet.Agent
	records chan *b2bua.Record
}

// Observe takes the records of calls that are over.
func (d *demo) Observe(ev b2bua.Event) {
	if ev.Kind == b2bua.EventEnded {
		select {
		case d.records <- ev.Record:
		default: // more calls than scenes: somebody plays with --stay
		}
	}
}

func (d *demo) play() (err error) {
	d.records = make(chan *b2bua.Record, 16)
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.open(); err != nil {
		return err
	}
	d.introduce()
	for i, s := range scenes() {
		d.printf("%s\n\n", d.paint(bold, fmt.Sprintf("%d. %s", i+1, s.title)))
		if err := s.play(d); err != nil {
			return fmt.Errorf("call %d: %w", i+1, err)
		}
		if err := d.draw(); err != nil {
			return fmt.Errorf("call %d: %w", i+1, err)
		}
	}
	if d.stay {
		d.remain()
	}
	return nil
}

// open starts the agents, and between them the engine.
func (d *demo) open() (err error) {
	if d.dir, err = os.MkdirTemp("", "legwork-demo-"); err != nil {
		return err
	}
	hello, err := fs.Sub(examples.Files, "hello")
	if err == nil {
		err = os.CopyFS(d.dir, hello)
	}
	if err != nil {
		return err
	}
	if d.alice, err = simnet.NewAgent(d.network, "udp", "127.0.0.1:0"); err != nil {
		return err
	}
	if d.pbx, err = simnet.NewAgent(d.network, "udp", "127.0.0.1:0"); err != nil {
		return err
	}
	path := filepath.Join(d.dir, "legwork.yaml")
	cfg, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return err
	}
	cfg.Listen = []config.Listener{{Name: "udp", Transport: "udp", Address: "127.0.0.1:0"}}
	cfg.Trunks["pbx"].Targets = []config.Target{{URI: "sip:" + d.pbx.Addr.String()}}
	cfg.Admin.Address = d.admin
	cfg.Log.Level = "warn"
	log, level := newLog(d.err, cfg.Log)
	d.engine, err = start(context.Background(), setup{
		Config: cfg, Network: d.network, Log: log, Level: level, Observers: []b2bua.Observer{d}, Watch: d.stay,
	})
	if err == nil {
		d.sbc = d.engine.listeners[0].Local.String()
	}
	return err
}

func (d *demo) introduce() {
	d.printf("Legwork runs examples/hello on %s between two agents:\n", d.sbc)
	d.printf("alice, who calls, on %s and a PBX on %s.\n", d.alice.Addr, d.pbx.Addr)
	if d.engine.admin != nil {
		d.printf("The console is at %s/console while this runs.\n", d.engine.admin.URL())
	}
	d.printf("\n")
}

// draw prints the ladder of the call that has just ended, once its last
// messages are through.
func (d *demo) draw() error {
	select {
	case r := <-d.records:
		d.pause(100 * time.Millisecond)
		ladder, ok := d.engine.observers.ring.Ladder(r.ID, capture.Style{Colour: d.colour})
		if !ok {
			return fmt.Errorf("nothing was captured of %s", r.ID)
		}
		d.printf("%s\n", ladder)
		return nil
	case <-time.After(sceneLimit):
		return errors.New("it does not end")
	}
}

// remain lets people play until Ctrl-C: the PBX answers whoever calls.
func (d *demo) remain() {
	d.printf("Now it is your turn, until Ctrl-C. Call sip:4711@%s from this machine: the PBX answers.\n", d.sbc)
	d.printf("The script is %s: change it while calls run.\n", d.engine.Config.Script)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	for {
		select {
		case <-signals:
			return
		case <-d.engine.leaving:
			return
		default:
			d.answerOne()
		}
	}
}

// answerOne takes whatever comes to the PBX next, if anything does soon.
func (d *demo) answerOne() {
	in, err := d.pbx.Next(200*time.Millisecond, "*")
	switch {
	case err != nil || !in.IsRequest() || in.Method == "ACK" || in.Method == "CANCEL":
	case in.Method == "INVITE":
		in.Reply(180, nil)
		in.Reply(200, withSDP)
	default:
		in.Reply(200, nil)
	}
}

// close ends what open started, in whatever state it is.
func (d *demo) close() (err error) {
	if d.engine != nil {
		err = d.engine.shutdown(context.Background())
	}
	for _, a := range []*simnet.Agent{d.alice, d.pbx} {
		if a != nil {
			a.Close()
		}
	}
	if d.dir != "" {
		err = errors.Join(err, os.RemoveAll(d.dir))
	}
	return err
}

func (d *demo) pause(length time.Duration) { <-time.After(length) }
