package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/admin"
	"legwork/b2bua/capture"
	"legwork/cmd/legwork/config"
	"legwork/script"
)

// serveAdmin opens the admin API; last, so that it answers for a whole engine.
func (e *engine) serveAdmin(context.Context) (err error) {
	c := e.Config.Admin
	if c.Address == "" {
		return nil
	}
	e.admin, err = admin.Listen(c.Address, admin.Config{
		Engine: e.server, Scripts: scriptsOf{e}, History: historyOf{e.observers.ring, maskOf(e.Config)}, Metrics: e.observers.metrics.Handler(), Events: e.observers.feed,
		Drain: e.leave, Token: string(c.Token), Log: e.Log,
	})
	if err != nil {
		return e.blame("$.admin.address", "admin", c.Address, err)
	}
	return nil
}

// adminGoodbye bounds the wait for requests under way.
const adminGoodbye = 2 * time.Second

func (e *engine) closeAdmin() error {
	if e.admin == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminGoodbye)
	defer cancel()
	return e.admin.Close(ctx)
}

// scriptsOf is the policy as the API sees it; its reload is everything's.
type scriptsOf struct{ engine *engine }

func (s scriptsOf) Status() any {
	e := s.engine
	return live{e.policy.Status(), config.RestartNeeded(e.Config, e.live.Load())}
}

// live is what runs, and what of the configuration waits for a restart.
type live struct {
	script.Status
	RestartNeeded []string `json:"restart_needed,omitempty"` // keys
}

func (s scriptsOf) Deploy(ctx context.Context, d admin.Deployment) error {
	return s.engine.deploy(ctx, d)
}

func (s scriptsOf) Promote() error { return s.engine.policy.Promote("admin") }

func (s scriptsOf) Rollback() error { return s.engine.policy.Rollback("admin") }

func (s scriptsOf) Reload(ctx context.Context) error { return s.engine.reload(ctx) }

// historyOf is the ring as the API sees it.
type historyOf struct {
	ring *capture.Ring
	mask capture.Mask // whatever is asked for
}

func (h historyOf) Record(id string) (*b2bua.Record, bool) { return h.ring.Record(h.meant(id)) }

// newest is the id of the call that began last, whichever that is.
const newest = "last"

// meant is the id of a call that is asked for.
func (h historyOf) meant(id string) string {
	if id != newest {
		return id
	}
	for _, call := range h.ring.Calls() {
		return call.ID
	}
	return id
}

func (h historyOf) Ladder(id string, want admin.Ladder) ([]byte, bool, error) {
	story, ok := h.ring.Story(h.meant(id), h.masks(want.MaskNumbers))
	if !ok {
		return nil, false, nil
	}
	var out bytes.Buffer
	err := show(&out, story, want)
	return out.Bytes(), true, err
}

// maskOf is what is hidden always.
func maskOf(c *config.Config) capture.Mask {
	return capture.Mask{Numbers: slices.Contains(c.Capture.Mask, "numbers")}
}

func (h historyOf) masks(numbers bool) capture.Mask {
	return capture.Mask{Numbers: numbers || h.mask.Numbers}
}

func (h historyOf) Trace(f admin.TraceFilter) (admin.Trace, error) {
	t, err := h.ring.Trace(capture.Filter{Number: f.Number, Trunk: f.Trunk})
	if err != nil {
		return nil, err
	}
	return traceOf{t, h.masks(f.MaskNumbers)}, nil
}

// traceOf is a trace as the API sees it.
type traceOf struct {
	trace *capture.Trace
	mask  capture.Mask
}

func (t traceOf) Next(ctx context.Context) ([]byte, bool) {
	story, ok := t.trace.Next(ctx, t.mask)
	if !ok {
		return nil, false
	}
	return oneLine(story), true
}

func (t traceOf) End() [][]byte {
	var all [][]byte
	for _, story := range t.trace.End(t.mask) {
		all = append(all, oneLine(story))
	}
	return all
}

// oneLine is a story as JSON.
func oneLine(story *capture.Story) []byte {
	var out bytes.Buffer
	if err := show(&out, story, admin.Ladder{Form: admin.FormJSON}); err != nil {
		return nil // a Story is made of texts and numbers
	}
	return out.Bytes()
}

// show writes a story in one of its forms.
func show(to *bytes.Buffer, story *capture.Story, want admin.Ladder) error {
	switch want.Form {
	case admin.FormHTML:
		return story.HTML(to)
	case admin.FormJSON:
		encoder := json.NewEncoder(to)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(story)
	default:
		to.WriteString(story.Text(capture.Style{Width: want.Width, Colour: want.Colour}))
		return nil
	}
}
