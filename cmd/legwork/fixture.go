package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"legwork/b2bua/pcap"
	"legwork/b2bua/trunk"
	"legwork/script/luatest"
)

type fixtureCommand struct {
	Capture string `arg:"" type:"path" placeholder:"CALL.pcap" help:"Capture with the call, pcap or pcapng."`
	CallID  string `name:"call-id" placeholder:"ID" help:"The call of this Call-ID; default: the first."`
	Number  string `placeholder:"N" help:"The first call from or to it: a user, or the last digits of a number."`
	Config  string `short:"c" type:"path" placeholder:"FILE" help:"Configuration that names the caller's trunk by its address; default: the legwork.yaml here, if there is one."`
	From    string `name:"from-trunk" placeholder:"TRUNK" help:"The caller's trunk."`
}

// Run prints a test: exit status 2 for a capture without the call.
func (c *fixtureCommand) Run(t *terminal) error {
	file, err := os.Open(c.Capture)
	if err != nil {
		return mend(err)
	}
	defer file.Close()
	capture, call, err := t.pick(file, pcap.Wish{CallID: c.CallID, Number: c.Number})
	if err != nil {
		return mend(fmt.Errorf("%s: %w", c.Capture, err))
	}
	r := luatest.Retelling{Capture: capture, Call: call, File: filepath.Base(c.Capture), Trunk: c.From}
	if r.Trunk == "" {
		if r.Trunk, r.Remark, err = c.trunkOf(call.Invite().From.Addr()); err != nil {
			return mend(err)
		}
	}
	fmt.Fprintf(t.err, "legwork: %s\n", printable(call.String()))
	return r.Write(t.out)
}

// pick reads a capture and finds the call that is wished for in it. What of the
// file counts for nothing is said on t.err.
func (t *terminal) pick(from io.Reader, w pcap.Wish) (*pcap.Capture, *pcap.Call, error) {
	all, err := pcap.Read(from)
	if err != nil {
		return nil, nil, err
	}
	if all.Cut != nil {
		fmt.Fprintf(t.err, "legwork: the capture is not read to its end: %v\n", all.Cut)
	}
	call, found, err := all.Find(w)
	switch {
	case found > 1 && call.Invite().Message.Method != "INVITE":
		fmt.Fprintf(t.err, "legwork: the first of %d requests, with no call; --call-id or --number picks another\n", found)
	case found > 1:
		fmt.Fprintf(t.err, "legwork: the first of %d calls; --call-id or --number picks another. Legs towards callees count too\n", found)
	}
	return all, call, err
}

// trunkOf is the trunk that an address belongs to. Without a configuration trunks
// are made up, and there is none to name.
func (c *fixtureCommand) trunkOf(addr netip.Addr) (name, remark string, err error) {
	if c.Config == "" {
		if _, err := os.Stat(usualFile); errors.Is(err, fs.ErrNotExist) {
			return "", "", nil
		}
	}
	path, cfg, err := readConfig(c.Config)
	if err != nil {
		return "", "", err
	}
	s := suite{path: path, cfg: cfg, source: sourceOf(cfg)}
	if err := s.meet(); err != nil {
		return "", "", err
	}
	table, err := trunk.NewTable(s.trunks, func(string) []netip.Addr { return nil })
	if err != nil {
		return "", "", err
	}
	if one, _ := table.Match(addr); one != nil {
		return one.Name, "", nil
	}
	var names bytes.Buffer
	for _, one := range table.Names() {
		names.WriteString(" " + one)
	}
	return "?", fmt.Sprintf("no trunk matches %s; there are:%s", addr, &names), nil
}
