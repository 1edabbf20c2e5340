// Package redis asks one Redis server and bounds what comes of it: the time, the
// connections, the size of an answer. What the server says is told in plain Go
// values, what goes wrong in few words that hold neither address nor password.
//
// It does not know what is asked for: scripts do, and the store that is kept in
// Redis. Start reading at Client.Do.
package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config is one server. Only URL is required.
type Config struct {
	URL         string        // redis:// or rediss:// with user, password, host, port and number of the database
	Timeout     time.Duration // of one command, from the wait for a connection to the answer; default 1 s
	Connections int           // at most; default 10
}

// Bounds of what is said and answered.
const (
	maxReply  = 4 << 20 // bytes of one answer on the wire
	maxValues = 20_000  // in one answer
	maxDepth  = 16
)

// ErrTooLarge is an answer beyond the bounds.
var ErrTooLarge = errors.New("too large")

// ErrURL is an address that names no server. It does not show it: there may be
// a password in it.
var ErrURL = errors.New("not an address like redis://user:password@host:6379/0")

// A Client may be used from any goroutine.
type Client struct {
	redis   *goredis.Client
	timeout time.Duration
}

// CheckURL tells whether a URL could be one of Config.
func CheckURL(url string) error {
	if _, err := goredis.ParseURL(url); err != nil {
		return ErrURL
	}
	return nil
}

// Open makes a client. It connects when it is asked something.
func Open(c Config) (*Client, error) {
	o, err := goredis.ParseURL(c.URL)
	if err != nil {
		return nil, ErrURL
	}
	if c.Timeout <= 0 {
		c.Timeout = time.Second
	}
	if c.Connections <= 0 {
		c.Connections = 10
	}
	o.PoolSize, o.MaxActiveConns, o.MinIdleConns = c.Connections, c.Connections, 0
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = c.Timeout, c.Timeout, c.Timeout, c.Timeout
	o.ContextTimeoutEnabled = true
	// Once only: nobody knows whether a command that failed has counted.
	o.MaxRetries, o.DialerRetries = -1, 1
	o.Protocol, o.DisableIdentity = 2, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	dial := goredis.NewDialer(o)
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &bounded{Conn: conn}, nil
	}
	return &Client{redis: goredis.NewClient(o), timeout: c.Timeout}, nil
}

// Quiet keeps the client library from writing to standard error by itself; what
// fails is told by Do. It is for main: the library has one log for the process.
func Quiet() { logging.Disable() }

// Close ends the connections, and commands on their way with them.
func (c *Client) Close() { _ = c.redis.Close() } // nobody is left to care

// A bounded connection reads so much for one question and no more.
type bounded struct {
	net.Conn
	read      int // since the last Write; commands are not pipelined
	announced announced
}

// Write implements net.Conn.
func (b *bounded) Write(p []byte) (int, error) {
	b.read, b.announced.values = 0, 0
	return b.Conn.Write(p)
}

// Read implements net.Conn.
func (b *bounded) Read(p []byte) (int, error) {
	if b.read >= maxReply {
		return 0, ErrTooLarge
	}
	n, err := b.Conn.Read(p[:min(len(p), maxReply-b.read)])
	b.read += n
	if wrong := b.announced.next(p[:n]); wrong != nil {
		return 0, wrong
	}
	return n, err
}

type reply struct {
	value any
	err   error
}

// Do says a command, name and arguments (string, int64 or float64), and gives
// the answer: nil, string, int64, or []any of these. It returns at the end of ctx
// at once; the command itself is then given up at its timeout, and may yet be
// done by the server.
func (c *Client) Do(ctx context.Context, words ...any) (any, error) {
	done := make(chan reply, 1)
	go func() { // ends with the command's time
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		v, err := c.ask(bound, words)
		done <- reply{v, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		if errors.Is(r.err, goredis.Nil) {
			return nil, nil
		}
		if r.err != nil {
			return nil, c.failure(r.err)
		}
		left := maxValues
		return plain(r.value, &left, 0)
	}
}

// ask survives a library that trips over an answer.
func (c *Client) ask(ctx context.Context, words []any) (v any, err error) {
	defer func() {
		if recover() != nil {
			err = errGarbled
		}
	}()
	return c.redis.Do(ctx, words...).Result()
}

// failure keeps what the server said and what the network met.
func (c *Client) failure(err error) error {
	var said goredis.Error
	var timeout net.Error
	switch {
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("%w: the answer has more than %d bytes or %d values", ErrTooLarge, maxReply, maxValues)
	case errors.Is(err, goredis.ErrPoolTimeout):
		return fmt.Errorf("all connections are busy: %w", context.DeadlineExceeded)
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %v: %w", c.timeout, context.DeadlineExceeded)
	case errors.As(err, &said):
		return &Refusal{said.Error()}
	}
	return err
}

// A Refusal is an error that the server answered with: "WRONGTYPE ...".
type Refusal struct{ text string }

func (e *Refusal) Error() string { return e.text }

// Says tells whether a word is in it.
func (e *Refusal) Says(word string) bool { return strings.Contains(e.text, word) }

func plain(v any, left *int, depth int) (any, error) {
	if *left--; *left < 0 || depth > maxDepth {
		return nil, fmt.Errorf("%w: the answer has more than %d values", ErrTooLarge, maxValues)
	}
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			one, err := plain(item, left, depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = one
		}
		return list, nil
	case string, int64, nil:
		return v, nil
	case error:
		return nil, &Refusal{v.Error()}
	}
	return nil, fmt.Errorf("an answer of type %T", v)
}
