package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"legwork/b2bua"
	"legwork/b2bua/registrar"
	"legwork/b2bua/store"
	"legwork/b2bua/trunk"
	"legwork/cmd/legwork/config"
	"legwork/script"
	"legwork/script/lib"
	"legwork/script/luatest"
)

// suite is the tests of one scripts' folder.
type suite struct {
	path   string // of the configuration; "": there is none
	cfg    *config.Config
	source script.Source
	files  []string // none: all
	trunks []trunk.Trunk
	made   bool // trunks are made up
	asked  *databases
}

// suites finds out what is to be tested.
func (c *testCommand) suites() ([]*suite, error) {
	var list []*suite
	if len(c.Paths) == 0 {
		s, err := suiteHere(c.Config)
		if err != nil {
			return nil, err
		}
		if c.Folder != "" {
			s.moveTo(c.Folder)
		}
		list = append(list, s)
	}
	for _, path := range c.Paths {
		s, err := suiteOf(c.Config, path)
		if err != nil {
			return nil, err
		}
		same := func(o *suite) bool { return o.path == s.path && o.source.Path == s.source.Path }
		if i := slices.IndexFunc(list, same); i >= 0 {
			list[i].files = append(list[i].files, s.files...)
		} else {
			list = append(list, s)
		}
	}
	for _, s := range list {
		if err := s.meet(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// suiteHere is that of the configuration, or of the main.lua of this folder.
func suiteHere(named string) (*suite, error) {
	if named == "" {
		if _, err := os.Stat(usualFile); errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(mainScript); err == nil {
				return &suite{cfg: config.Default(), source: script.Source{Path: mainScript}, made: true}, nil
			}
		}
	}
	path, cfg, err := readConfig(named)
	if err != nil {
		return nil, err
	}
	return &suite{path: path, cfg: cfg, source: sourceOf(cfg)}, nil
}

// moveTo has a folder stand in for that of the configured scripts.
func (s *suite) moveTo(folder string) {
	configured := filepath.Dir(s.source.Path)
	moved := func(path string) string {
		if within, err := filepath.Rel(configured, path); path != "" && err == nil && filepath.IsLocal(within) {
			return filepath.Join(folder, within)
		}
		return path
	}
	for _, one := range s.cfg.Trunks {
		if p := one.Profile; p != nil {
			p.Lua, p.CUCM = moved(p.Lua), moved(p.CUCM)
		}
	}
	s.source = script.Source{Path: moved(s.source.Path)}
}

// suiteOf is the one that a file or folder belongs to: of the configuration
// that was named, else of the nearest legwork.yaml above whose scripts hold
// it, else of the nearest main.lua.
func suiteOf(named, path string) (*suite, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("%s: there is no such test", path)
	}
	folder := abs
	if !st.IsDir() {
		folder = filepath.Dir(abs)
	}
	for _, above := range append([]string{named}, upwards(folder, usualFile)...) {
		if above == "" {
			continue
		}
		_, cfg, err := readConfig(above)
		if err != nil {
			return nil, err
		}
		s := &suite{path: above, cfg: cfg, source: sourceOf(cfg)}
		if s.holds(abs) {
			return s, nil
		}
		if named != "" {
			return nil, fmt.Errorf("%s is not in the folder of the scripts that %s names (%s)", path, named, cfg.Script)
		}
	}
	if mains := upwards(folder, mainScript); len(mains) > 0 {
		s := &suite{cfg: config.Default(), source: script.Source{Path: mains[0]}, made: true}
		s.holds(abs)
		return s, nil
	}
	return nil, fmt.Errorf("%s: which script is it for? There is neither a %s nor a %s beside or above it; -c names a configuration", path, usualFile, mainScript)
}

// maxAbove is how many folders up a configuration is looked for.
const maxAbove = 6

// upwards lists the files of that name in a folder and those above it.
func upwards(folder, name string) []string {
	var found []string
	for range maxAbove {
		path := filepath.Join(folder, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			found = append(found, path)
		}
		folder = filepath.Dir(folder)
	}
	return found
}

// holds tells whether a path is within the scripts' folder or around it, and
// if so adds it to the files.
func (s *suite) holds(abs string) bool {
	if s.source.FS != nil {
		return false
	}
	folder, err := filepath.Abs(filepath.Dir(s.source.Path))
	if err != nil {
		return false
	}
	within, err := filepath.Rel(folder, abs)
	if err != nil {
		return false
	}
	if !filepath.IsLocal(within) { // a folder around the scripts stands for all of them
		around, err := filepath.Rel(abs, folder)
		if err != nil || !filepath.IsLocal(around) {
			return false
		}
		within = "."
	}
	s.files = append(s.files, within)
	return true
}

// meet lists the trunks.
func (s *suite) meet() error {
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Trunks)) {
		one, err := neighbour(name, s.cfg.Trunks[name])
		if err != nil {
			return fmt.Errorf("trunk %s: %w", name, err)
		}
		s.trunks = append(s.trunks, one)
	}
	s.asked = noDatabases(s.cfg)
	if len(s.trunks) > 0 && !s.made {
		return nil
	}
	snap, err := s.source.Read()
	if err != nil {
		return err
	}
	s.trunks = luatest.Invent(snap)
	if s.made {
		s.invent(luatest.Servers(snap))
	}
	return nil
}

// invent makes up the servers that scripts without a configuration ask.
func (s *suite) invent(redis, sql []string) {
	for _, name := range redis {
		s.asked.redis[name] = lib.Nowhere{}
	}
	for _, name := range sql {
		s.asked.sql[name] = lib.Nowhere{}
	}
}

func (s *suite) config() luatest.Config {
	c := s.cfg
	server := b2bua.Config{
		UserAgent: c.SIP.UserAgent, T1: c.SIP.T1, T2: c.SIP.T2, MaxMessage: c.SIP.MaxMessage, UDPMax: c.SIP.UDPMax,
		MaxDuration: c.SIP.MaxDuration, Settings: settings(c, nil),
	}
	if s.made {
		server.Settings.UnknownSources = b2bua.AllowUnknown
	}
	return luatest.Config{
		Source: s.source, Trunks: s.trunks, Server: server, Lib: scriptSurroundings(s.asked), Files: s.files,
		Registrar: func() (*registrar.Registrar, error) {
			return registrarOf(c.Registrar, store.NewMemory(store.Limits{}), nil)
		},
	}
}

// fromHere names a file of the scripts so that an editor finds it.
func (s *suite) fromHere(file string) string {
	if s.source.FS != nil || file == "" || filepath.IsAbs(file) {
		return file
	}
	abs, err := filepath.Abs(filepath.Join(filepath.Dir(s.source.Path), filepath.FromSlash(file)))
	if err != nil {
		return file
	}
	return nearest(abs)
}
