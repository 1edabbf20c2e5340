package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"legwork/b2bua/capture"
)

type traceCommand struct {
	remote
	Number string        `placeholder:"N" help:"Calls from or to it: a user, or the last digits of a number."`
	Trunk  string        `placeholder:"T" help:"Calls from it or to it."`
	For    time.Duration `default:"10m" help:"How long, at most 24h; Ctrl-C ends it before."`
	Pages  string        `placeholder:"DIR" help:"Write an HTML page of each call there."`
	Mask   string        `enum:",numbers" default:"" placeholder:"numbers" help:"Hide the ends of telephone numbers; secrets always are hidden."`
	screen
}

// Run shows each call that matches when it is over, and those in progress when
// the time is.
func (c *traceCommand) Run(t *terminal) error {
	if c.Number == "" && c.Trunk == "" {
		return mend(errors.New("name what to trace: --number or --trunk"))
	}
	query := url.Values{"for": {c.For.String()}}
	for key, value := range map[string]string{"number": c.Number, "trunk": c.Trunk, "mask": c.Mask} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if c.Pages != "" {
		if err := os.MkdirAll(c.Pages, 0o700); err != nil {
			return err
		}
	}
	res, err := c.open(context.Background(), http.MethodGet, "/api/v1/trace?"+query.Encode())
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if !c.JSON {
		fmt.Fprintf(t.err, "legwork: tracing for %v\n", c.For)
	}
	found := 0
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxStory)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		found++
		if err := c.tell(t, lines.Bytes(), found > 1); err != nil {
			return err
		}
	}
	if !c.JSON && lines.Err() == nil {
		fmt.Fprintf(t.err, "legwork: %s matched\n", counted(found, "call"))
	}
	return lines.Err()
}

// maxStory bounds the line of one call.
const maxStory = 16 << 20

// tell shows one call.
func (c *traceCommand) tell(t *terminal, line []byte, another bool) error {
	var story capture.Story
	if err := json.Unmarshal(line, &story); err != nil {
		return fmt.Errorf("a story is not what this version knows: %w", err)
	}
	if c.Pages != "" {
		if err := c.page(&story); err != nil {
			return err
		}
	}
	if c.JSON {
		t.printf("%s\n", line)
		return nil
	}
	if another {
		t.printf("\n")
	}
	t.printf("%s", story.Text(capture.Style{Width: c.columns(), Colour: t.colour}))
	return nil
}

// page writes a call as HTML.
func (c *traceCommand) page(story *capture.Story) (err error) {
	f, err := os.OpenFile(filepath.Join(c.Pages, filepath.Base(filepath.Clean("/"+story.ID))+".html"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return story.HTML(f)
}
