package main

import (
	"bytes"
	"context"
	"encoding/json"
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
		Engine: e.server, Scripts: scriptsOf{e}, History: historyOf{e.observers.ring}, Metrics: e.observers.metrics.Handler(), Events: e.observers.feed,
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

func (s scriptsOf) Reload(ctx context.Context) error { return s.engine.reload(ctx) }

// historyOf is the ring as the API sees it.
type historyOf struct{ ring *capture.Ring }

func (h historyOf) Record(id string) (*b2bua.Record, bool) { return h.ring.Record(id) }

func (h historyOf) Ladder(id string, want admin.Ladder) ([]byte, bool, error) {
	story, ok := h.ring.Story(id, capture.Mask{Numbers: want.MaskNumbers})
	if !ok {
		return nil, false, nil
	}
	var out bytes.Buffer
	err := show(&out, story, want)
	return out.Bytes(), true, err
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
