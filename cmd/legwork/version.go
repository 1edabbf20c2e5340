package main

import (
	"runtime"
	"runtime/debug"
)

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// build is what the binary knows about itself.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
}

// Run prints the version.
func (c *versionCommand) Run(t *terminal) error {
	b := thisBuild()
	if c.JSON {
		return t.json(b)
	}
	t.printf("legwork %s", b.Version)
	if b.Revision != "" {
		t.printf(" (%.12s)", b.Revision)
	}
	t.printf(" %s %s/%s\n", b.Go, runtime.GOOS, runtime.GOARCH)
	return nil
}

func thisBuild() build {
	b := build{Version: "unknown", Go: runtime.Version()}
	read, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = read.Main.Version
	for _, s := range read.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
