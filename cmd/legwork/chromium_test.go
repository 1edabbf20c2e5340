package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// chromium is a headless browser, driven over a pipe by the DevTools protocol:
// JSON, each message ended by a zero byte.
type chromium struct {
	in io.Writer

	mu      sync.Mutex // guards all below
	serial  int
	waiting map[int]chan devtools
	gone    bool
}

// devtools is a message of the protocol.
type devtools struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// browser starts a Chromium that believes a certificate with that hash of its
// public key, and gives pages a camera and a microphone of its own.
func browser(t *testing.T, spki string) *chromium {
	t.Helper()
	path := program(t, "chromium", "chromium")
	hear, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, say, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir="+t.TempDir(),
		"--log-level=3", "--remote-debugging-pipe", "--ignore-certificate-errors-spki-list="+spki,
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
	cmd.ExtraFiles = []*os.File{hear, say} // 3 and 4 are the protocol's
	errs := &bytes.Buffer{}
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = hear.Close(), say.Close()
	b := &chromium{in: in, waiting: map[int]chan devtools{}}
	go b.read(out)
	t.Cleanup(func() {
		b.mu.Lock()
		early := b.gone
		b.mu.Unlock()
		_ = in.Close() // which ends it
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_ = cmd.Wait()
		if early {
			t.Log(errs)
		}
	})
	return b
}

func (b *chromium) read(out io.ReadCloser) {
	defer out.Close()
	for in := bufio.NewReader(out); ; {
		text, err := in.ReadBytes(0)
		var m devtools
		if err == nil {
			err = json.Unmarshal(text[:len(text)-1], &m)
		}
		b.mu.Lock()
		if err != nil {
			b.gone = true
			for _, w := range b.waiting {
				close(w)
			}
			b.waiting = nil
			b.mu.Unlock()
			return
		}
		if w := b.waiting[m.ID]; w != nil {
			delete(b.waiting, m.ID)
			w <- m
		}
		b.mu.Unlock()
	}
}

// ask sends a command and returns its result.
func (b *chromium) ask(session, method string, params any) (json.RawMessage, error) {
	answer := make(chan devtools, 1)
	b.mu.Lock()
	if b.gone {
		b.mu.Unlock()
		return nil, errors.New("the browser is gone")
	}
	b.serial++
	text, err := json.Marshal(devtools{ID: b.serial, Session: session, Method: method, Params: params})
	if err == nil {
		b.waiting[b.serial] = answer
		_, err = b.in.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case m, ok := <-answer:
		switch {
		case !ok:
			return nil, errors.New("the browser has gone")
		case m.Error != nil:
			return nil, fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		return m.Result, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("%s: no answer", method)
	}
}

// do is ask for what must succeed; result may be nil.
func (b *chromium) do(t *testing.T, session, method string, params, result any) {
	t.Helper()
	text, err := b.ask(session, method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(text, result)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tab is a page of a browser.
type tab struct {
	*chromium
	t               *testing.T
	target, session string
	read            int // lines of its log
}

// open opens a page and waits until it is there.
func (b *chromium) open(t *testing.T, url string) *tab {
	t.Helper()
	p := &tab{chromium: b, t: t}
	var made struct{ TargetID, SessionID string }
	b.do(t, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	p.target = made.TargetID
	b.do(t, "", "Target.attachToTarget", map[string]any{"targetId": p.target, "flatten": true}, &made)
	p.session = made.SessionID
	p.do(t, p.session, "Page.navigate", map[string]any{"url": url}, nil)
	p.run(`new Promise(done => document.readyState === "complete" ? done() : addEventListener("load", done))`)
	t.Cleanup(func() { _, _ = b.ask("", "Target.closeTarget", map[string]any{"targetId": p.target}) })
	return p
}

// run runs JavaScript in the page, waits for its promise, and returns what that
// brings as text.
func (p *tab) run(script string) string {
	p.t.Helper()
	var got struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	p.do(p.t, p.session, "Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &got)
	if got.ExceptionDetails != nil {
		p.t.Fatalf("%s: %s", script, got.ExceptionDetails.Exception.Description)
	}
	return fmt.Sprint(got.Result.Value)
}

// fill writes into fields of a form and submits it.
func (p *tab) fill(form string, fields map[string]string) {
	p.t.Helper()
	text, err := json.Marshal(fields)
	if err != nil {
		p.t.Fatal(err)
	}
	p.run(`{ const form = document.querySelector("` + form + `");
		for (const [name, value] of Object.entries(` + string(text) + `))
			form[name].type === "checkbox" ? form[name].checked = value === "on" : form[name].value = value;
		form.requestSubmit(); }`)
}

func (p *tab) click(button string) {
	p.t.Helper()
	p.run(`document.querySelector("` + button + `").click()`)
}

// reads waits for a line of the page's log, after those that were read already.
func (p *tab) reads(want string) {
	p.t.Helper()
	got := p.run(fmt.Sprintf(`new Promise(done => {
		const list = document.querySelector("#log");
		const look = () => {
			const lines = [...list.children].map(l => l.textContent).slice(%d);
			const at = lines.findIndex(l => l.startsWith(%q));
			if (at >= 0) { done(at + 1); return true }
		};
		if (look()) return;
		const watch = new MutationObserver(() => look() && watch.disconnect());
		watch.observe(list, { childList: true });
		setTimeout(() => done("no " + [...list.children].map(l => l.textContent).join(" / ")), %d);
	})`, p.read, want, patience.Milliseconds()/2))
	var n int
	if _, err := fmt.Sscan(got, &n); err != nil || strings.HasPrefix(got, "no") {
		p.t.Fatalf("%s, want %q", got, want)
	}
	p.read += n
}

// crash ends a page that has no time to say anything.
func (p *tab) crash() {
	p.t.Helper()
	// The command itself gets no answer.
	go func() { _, _ = p.ask(p.session, "Page.crash", nil) }()
}

// shut closes the page as a person does.
func (p *tab) shut() {
	p.t.Helper()
	p.do(p.t, "", "Target.closeTarget", map[string]any{"targetId": p.target}, nil)
}
