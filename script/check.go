package script

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ProfileRow is one entry of the resolved table of message profiles.
type ProfileRow struct {
	Trunk string // "" when no trunk has a profile of its own: all trunks
	Side  string // inbound or outbound
	Key   string // "180 INVITE"
	File  string
	Line  int
}

// Check loads the scripts as New does, runs neither on_load nor tests, and
// returns all that is wrong and, when nothing is, which profiles apply: by
// trunk and side, the most specific first.
func Check(ctx context.Context, cfg Config) (Problems, []ProfileRow) {
	if err := cfg.complete(); err != nil {
		return Problems{{Msg: err.Error()}}, nil
	}
	p := &Policy{cfg: cfg}
	snap, err := cfg.Source.read(p.profiles())
	if err != nil {
		return Problems{{Msg: err.Error()}}, nil
	}
	g, problems := compile(&p.cfg, snap)
	if len(problems) > 0 {
		return problems, nil
	}
	if problems = g.try(ctx); len(problems.errors()) > 0 {
		return g.placed(slices.Concat(problems, g.advise())), nil
	}
	return g.placed(slices.Concat(problems, g.shadowed(), g.advise())), g.profileRows()
}

// named are words of a problem that may stand in the script.
var named = regexp.MustCompile(`"[^"]+"|[A-Za-z]\w*[._]\w+`)

// placed gives problems that know their line alone a column: what is wrong is
// there, or the line begins there.
func (g *generation) placed(all Problems) Problems {
	for i := range all {
		p := &all[i]
		lines := strings.Split(string(g.snap.Files[p.File]), "\n")
		if p.Col > 0 || p.Line < 1 || p.Line > len(lines) {
			continue
		}
		line := lines[p.Line-1]
		p.Col = 1 + len(line) - len(strings.TrimLeft(line, " \t"))
		for _, word := range named.FindAllString(p.Msg, -1) {
			if at := strings.Index(line, strings.Trim(word, `"`)); at >= 0 {
				p.Col = at + 1
				break
			}
		}
	}
	return all
}

// profileRows is the table that legwork check prints.
func (g *generation) profileRows() []ProfileRow {
	var rows []ProfileRow
	add := func(trunk string, p profile) {
		for side, entries := range [...][]entry{p.inbound, p.outbound} {
			for _, e := range entries {
				rows = append(rows, ProfileRow{
					Trunk: trunk, Side: [...]string{"inbound", "outbound"}[side], Key: e.key,
					File: e.fn.Proto.SourceName, Line: e.fn.Proto.LineDefined,
				})
			}
		}
	}
	m := g.shards[0].m
	add("", m.profiles[""])
	for _, trunk := range g.cfg.Trunks().Names() {
		add(trunk, m.profile(trunk))
		rows = append(rows, m.foreignRows(trunk)...)
	}
	return rows
}

// shadowed warns of profiles that nothing reaches: those of the main script
// when every trunk has a file of its own.
func (g *generation) shadowed() Problems {
	main := g.shards[0].m.profiles[""]
	names := g.cfg.Trunks().Names()
	if len(main.inbound)+len(main.outbound) == 0 || len(names) == 0 ||
		slices.ContainsFunc(names, func(name string) bool { return g.files[name] == "" && g.foreign[name] == nil }) {
		return nil
	}
	return Problems{{
		File: g.snap.Main, Warning: true,
		Msg: fmt.Sprintf("M.inbound and M.outbound serve calls without a trunk only: all %d trunks have a profile of their own", len(names)),
	}}
}
