package main

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"testing/fstest"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/admin"
	"legwork/script"
)

// deploy makes scripts that somebody has sent live. Files in errors are named as
// they were sent.
func (e *engine) deploy(ctx context.Context, d admin.Deployment) error {
	files := fstest.MapFS{}
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		if !fs.ValidPath(name) || !isScript(name) {
			return fmt.Errorf("%q is no *.lua or *.csv within a folder", name)
		}
		files[name] = &fstest.MapFile{Data: d.Files[name], Mode: 0o644}
	}
	e.mu.Lock() // trunks and scripts belong together
	defer e.mu.Unlock()
	return e.policy.Deploy(ctx, script.Plan{
		Files: files, Share: d.Share, By: script.By(d.By), Min: d.MinCalls,
		After:  time.Duration(min(d.PromoteAfter, 1e9) * float64(time.Second)),
		Shadow: d.Shadow, For: time.Duration(min(d.ShadowFor, 1e9) * float64(time.Second)),
	})
}

// keeper is what makes deployed scripts those of the configured folder; nil:
// there is none.
func (e *engine) keeper() func(fs.FS) error {
	if e.Config.Script == "" {
		return nil
	}
	return func(files fs.FS) error { return keepScripts(filepath.Dir(e.Config.Script), files, time.Now()) }
}

// trials shows the policy what happens to calls: it is made after the server,
// whose observers are fixed.
type trials struct{ engine *engine }

func (t trials) Observe(ev b2bua.Event) {
	if p := t.engine.policy; p != nil {
		p.Observe(ev)
	}
}
