package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"legwork/b2bua/admin"
)

type eventsCommand struct {
	remote
	Types string `placeholder:"LIST" help:"Only these, with commas between: types such as trunk.down, or kinds such as call."`
	Trunk string `placeholder:"NAME" help:"Only what is of this trunk, or of calls from or to it."`
}

// Run prints what happens, one line each, until Ctrl-C or the end of the process
// it asks.
func (c *eventsCommand) Run(t *terminal) error {
	query := url.Values{}
	for key, value := range map[string]string{"types": c.Types, "trunk": c.Trunk} {
		if value != "" {
			query.Set(key, value)
		}
	}
	res, err := c.open(context.Background(), http.MethodGet, "/api/v1/events?"+query.Encode())
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return eachEvent(res.Body, func(line string) error {
		if c.JSON {
			t.printf("%s\n", line)
			return nil
		}
		var e admin.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return fmt.Errorf("an event is not what this version knows: %w", err)
		}
		t.printf("%s\n", printable(lineOf(&e)))
		return nil
	})
}

// maxEvent bounds a line of the stream.
const maxEvent = 1 << 20

// eachEvent reads the data of server-sent events, each of which is one line.
func eachEvent(from io.Reader, take func(line string) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		if line, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := take(line); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// lineOf is an event for people.
func lineOf(e *admin.Event) string {
	words := []string{e.At.Local().Format("15:04:05.000"), fmt.Sprintf("%-19s", e.Type), e.Call}
	if e.Call == "" {
		words = append(words, e.Trunk, e.Source)
	} else {
		words = append(words, e.From+" → "+e.To, "("+orDash(e.Trunk)+" → "+orDash(e.TargetTrunk)+")")
	}
	if e.Code != 0 {
		words = append(words, fmt.Sprintf("%d %s", e.Code, e.Reason))
	}
	if e.HungUpBy != "" {
		words = append(words, "by "+e.HungUpBy)
	}
	if e.Duration > 0 {
		words = append(words, "after "+time.Duration(e.Duration*float64(time.Second)).Round(time.Millisecond).String())
	}
	if e.Count > 0 {
		words = append(words, fmt.Sprintf("%d events were lost on the way", e.Count))
	}
	words = append(words, e.Text)
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}
