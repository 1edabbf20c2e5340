package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"legwork/b2bua/admin"
)

// remote says where the admin API of the running Legwork is. It is part of every
// command that asks.
type remote struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration whose admin address and token are used; default: ./legwork.yaml if it is there."`
	Admin  string `placeholder:"HOST:PORT" help:"Address of the admin API instead of the configuration's."`
	Token  string `env:"LEGWORK_TOKEN" help:"Token of the admin API instead of the configuration's."`
	JSON   bool   `help:"Print JSON."`
}

// Bounds of one question. A reload runs the scripts' tests before it answers.
const (
	answerTime = 70 * time.Second
	maxAnswer  = 64 << 20
)

// ask sends a request and decodes its answer into v; v may be nil.
func (r *remote) ask(method, path string, v any) error {
	body, err := r.fetch(method, path)
	if err != nil || v == nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("the answer to %s %s is not what this version knows: %w", method, path, err)
	}
	return nil
}

// fetch sends a request and returns the body of its answer.
func (r *remote) fetch(method, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	res, err := r.open(ctx, method, path)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(io.LimitReader(res.Body, maxAnswer))
}

// open sends a request and returns its answer, which is a good one.
func (r *remote) open(ctx context.Context, method, path string) (*http.Response, error) {
	return r.send(ctx, method, path, nil)
}

// send is open with a body.
func (r *remote) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	address, token, err := r.place()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, body)
	if err != nil {
		return nil, fmt.Errorf("admin address %q: %w", address, err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	direct := &http.Transport{DisableKeepAlives: true} // no proxy stands between us and loopback
	res, err := (&http.Client{Transport: direct}).Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("no Legwork answers at %s: start one (legwork run), or name its admin address (--admin, -c)", address)
	case err != nil:
		return nil, err
	case res.StatusCode < 400:
		return res, nil
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return nil, problemIn(res, said)
}

// problemIn is the error that a bad answer tells.
func problemIn(res *http.Response, body []byte) error {
	var p admin.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Detail == "" {
		return fmt.Errorf("admin API: %s", res.Status)
	}
	if res.StatusCode == http.StatusUnauthorized {
		p.Detail += ": set --token or LEGWORK_TOKEN, or name the configuration (-c)"
	}
	return refusal{res.StatusCode, p.Detail}
}

// refusal is an answer of the admin API that is none of the good ones.
type refusal struct {
	status int
	detail string
}

func (r refusal) Error() string { return r.detail }

// place is the address and token in use.
func (r *remote) place() (address, token string, err error) {
	address, token = r.Admin, r.Token
	if address == "" || token == "" && r.Config != "" {
		there, err := readAdmin(r.Config)
		if err != nil {
			return "", "", err
		}
		if address == "" {
			address = reachable(there.Address)
		}
		if token == "" {
			token = string(there.Token)
		}
	}
	if address == "" {
		return "", "", mend(errors.New("the configuration has no admin.address: name one with --admin"))
	}
	return strings.TrimPrefix(address, "http://"), token, nil
}

// reachable is where a listener's address can be dialled from this machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
		return net.JoinHostPort(host, port)
	}
	return address
}

// show prints an answer as it came, or as people like it.
func (r *remote) show(t *terminal, path string, v any, people func()) error {
	if !r.JSON {
		if err := r.ask(http.MethodGet, path, v); err != nil {
			return err
		}
		people()
		return nil
	}
	var raw json.RawMessage
	if err := r.ask(http.MethodGet, path, &raw); err != nil {
		return err
	}
	return t.json(raw)
}
