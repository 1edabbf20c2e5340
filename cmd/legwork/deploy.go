package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/admin"
	"legwork/script"
)

type deployCommand struct {
	remote
	Dir          string        `arg:"" optional:"" type:"existingdir" help:"Folder of scripts that are to be live: its *.lua and *.csv, with a main file of the same name."`
	Canary       string        `placeholder:"SHARE" help:"Have that share of the new calls begin with them, such as 5%, until they are promoted or rolled back."`
	By           string        `enum:"caller,trunk" default:"caller" help:"With --canary: the same caller, or trunk that calls come from, meets the same version (caller, trunk)."`
	Min          int           `default:"200" help:"With --canary: calls of each version that are needed to judge."`
	PromoteAfter time.Duration `default:"15m" help:"With --canary: promote by itself when it is no worse for so long; 0: never."`
	Shadow       bool          `help:"Have them asked beside the live version on every call, compare what they say, and use none of it."`
	For          time.Duration `default:"1h" help:"With --shadow: so long; 0: until --promote or --rollback."`
	Status       bool          `help:"List the versions that are loaded, and how the canary or shadow fares."`
	Promote      bool          `help:"Make the canary or shadow live for all new calls."`
	Rollback     bool          `help:"End the canary, whose calls in progress keep it, or the shadow."`
}

// Run does one thing, and says what runs then.
func (c *deployCommand) Run(t *terminal) error {
	method, path, err := c.what()
	if err != nil {
		return mend(err)
	}
	var body []byte
	if c.Dir != "" {
		if body, err = c.deployment(); err != nil {
			return mend(err)
		}
	}
	var raw json.RawMessage
	if err := c.put(method, path, body, &raw); err != nil {
		return err
	}
	if c.JSON {
		return t.json(raw)
	}
	var s live
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	t.generations(&s.Status)
	return nil
}

// what is the one thing that is asked for.
func (c *deployCommand) what() (method, path string, err error) {
	asked := 0
	for _, one := range []struct {
		on           bool
		method, path string
	}{
		{c.Dir != "", http.MethodPost, "deploy"},
		{c.Status, http.MethodGet, "deploy"},
		{c.Promote, http.MethodPost, "promote"},
		{c.Rollback, http.MethodPost, "rollback"},
	} {
		if one.on {
			asked++
			method, path = one.method, "/api/v1/script/"+one.path
		}
	}
	switch {
	case asked != 1:
		err = errors.New("say what is to be done, one thing: a folder, --status, --promote or --rollback")
	case c.Canary != "" && c.Dir == "":
		err = errors.New("--canary: of which folder?")
	case c.Shadow && (c.Dir == "" || c.Canary != ""):
		err = errors.New("--shadow: of which folder? And without --canary")
	case c.Canary == "" && (c.By != "caller" || c.Min != 200 || c.PromoteAfter != 15*time.Minute):
		err = errors.New("--by, --min and --promote-after are of --canary")
	case c.Min < 1:
		err = fmt.Errorf("--min: %d calls tell nothing; at least 1", c.Min)
	case c.PromoteAfter < 0:
		err = fmt.Errorf("--promote-after: %s is no time to wait; 0: it is never promoted by itself", c.PromoteAfter)
	case !c.Shadow && c.For != time.Hour:
		err = errors.New("--for is of --shadow")
	}
	return method, path, err
}

// maxFolder bounds the scripts and tables of a folder, in bytes.
const maxFolder = 64 << 20

// deployment reads the folder.
func (c *deployCommand) deployment() ([]byte, error) {
	d := admin.Deployment{Files: map[string][]byte{}}
	if c.Canary != "" {
		share, err := shareOf(c.Canary)
		if err != nil {
			return nil, err
		}
		d.Share, d.By, d.MinCalls, d.PromoteAfter = share, c.By, c.Min, c.PromoteAfter.Seconds()
	}
	if c.Shadow {
		d.Shadow, d.ShadowFor = true, c.For.Seconds()
	}
	folder, size := os.DirFS(c.Dir), 0
	err := eachScript(folder, func(name string) error {
		b, err := fs.ReadFile(folder, name)
		d.Files[name] = b
		if size += len(b); err == nil && size > maxFolder {
			return fmt.Errorf("%s: more than %d MiB of scripts and tables", c.Dir, maxFolder>>20)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(d.Files) == 0 {
		return nil, fmt.Errorf("%s: no *.lua there", c.Dir)
	}
	return json.Marshal(d)
}

// shareOf reads "5%" and "5".
func shareOf(text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(n > 0 && n < 100) {
		return 0, fmt.Errorf("--canary: %q is no share of calls; such as 5%%", text)
	}
	return n / 100, nil
}

// eachScript goes through what a folder of scripts consists of: Lua and tables.
// What begins with a dot belongs to others.
func eachScript(folder fs.FS, take func(name string) error) error {
	return fs.WalkDir(folder, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() || !isScript(name):
			return nil
		}
		return take(name)
	})
}

func isScript(name string) bool {
	return strings.HasSuffix(name, ".lua") || strings.HasSuffix(name, ".csv")
}

// put is ask with a body.
func (r *remote) put(method, path string, body []byte, v any) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	res, err := r.send(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(http.MaxBytesReader(nil, res.Body, maxAnswer)).Decode(v)
}

// generations prints what is loaded, how the canary or shadow fares, and why what was
// saved last is not loaded.
func (t *terminal) generations(s *script.Status) {
	var rows [][]string
	for _, g := range s.Generations {
		rows = append(rows, []string{
			g.Name, string(g.State), since(g.Loaded), strconv.FormatUint(g.Begun, 10), strconv.Itoa(g.Calls), strconv.FormatUint(g.Errors, 10),
		})
	}
	t.table("no scripts", []string{"GENERATION", "STATE", "AGE", "CALLS", "ACTIVE", "ERRORS"}, rows)
	if s.Trial != nil {
		t.trial(s.Trial)
	}
	if s.Failure != "" {
		t.printf("not loaded since %s: %s\n", s.Failed.Local().Format("15:04:05"), s.Failure)
	}
}

// trial prints how a canary or shadow fares, or how the last one ended.
func (t *terminal) trial(one *script.Trial) {
	if one.Shadow != nil {
		t.shadow(one)
		return
	}
	if one.Live == nil || one.Canary == nil { // of another version of legwork
		return
	}
	t.printf("\ncanary %s: %.4g%% of the calls, by %s, since %s\n", one.Name, one.Share*100, one.By, one.Began.Local().Format("15:04:05"))
	var rows [][]string
	for _, side := range []struct {
		name string
		of   *script.Tally
	}{{"live", one.Live}, {"canary", one.Canary}} {
		n := side.of
		rows = append(rows, []string{
			side.name, strconv.Itoa(n.Begun), parts(n.Erring, n.Begun), parts(n.Rejected, n.Begun), parts(n.Answered, n.Settled), fmt.Sprintf("%.2f s", n.Delay),
		})
	}
	t.table("", []string{"", "CALLS", "ERRING", "REJECTED", "ANSWERED", "MEDIAN DELAY"}, rows)
	if !one.Ended.IsZero() {
		t.printf("%s at %s: ", strings.ReplaceAll(strings.TrimPrefix(one.Result, "script."), "_", " "), one.Ended.Local().Format("15:04:05"))
	}
	t.printf("%s\n", one.Why)
}

// shadow prints in what a shadow differs, the commonest first.
func (t *terminal) shadow(one *script.Trial) {
	t.printf("\nshadow %s, since %s", one.Name, one.Began.Local().Format("15:04:05"))
	switch {
	case !one.Ended.IsZero():
		how := "ended"
		if one.Result == string(script.ChangePromoted) {
			how = "promoted"
		}
		t.printf(", %s at %s: %s", how, one.Ended.Local().Format("15:04:05"), printable(one.Why))
	case one.For > 0:
		t.printf(", until %s", one.Began.Add(time.Duration(one.For*float64(time.Second))).Local().Format("15:04:05"))
	}
	t.printf("\n%s\n", one.Shadow)
	for _, g := range one.Shadow.Groups {
		t.printf("\n%d × %s\n", g.Count, printable(g.What))
		for _, e := range g.Examples {
			t.printf("  %s %s\n", e.Call, printable(e.To))
			if len(e.Lines) == 0 {
				t.printf("    live:   %s\n    shadow: %s\n", printable(e.Live), printable(e.Shadow))
			}
			for _, line := range e.Lines {
				t.printf("    %s\n", printable(line))
			}
		}
	}
}

func parts(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d, %.1f%%", n, of, 100*float64(n)/float64(of))
}
