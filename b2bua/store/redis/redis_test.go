package redis

import (
	"context"
	"errors"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"legwork/b2bua/store/redis/redistest"
)

func client(t *testing.T, url string) *Client {
	t.Helper()
	c, err := Open(Config{URL: url, Timeout: 10 * time.Second, Connections: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func do(t *testing.T, c *Client, words ...any) any {
	t.Helper()
	v, err := c.Do(t.Context(), words...)
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return v
}

func TestAnswersArePlainValues(t *testing.T) {
	c := client(t, redistest.Start(t).URL())
	if v := do(t, c, "GET", "nothing"); v != nil {
		t.Errorf("nothing is %v", v)
	}
	do(t, c, "SET", "k", "a\x00b")
	if v := do(t, c, "GET", "k"); v != "a\x00b" {
		t.Errorf("got %q", v)
	}
	if v := do(t, c, "INCRBY", "n", int64(5)); v != int64(5) {
		t.Errorf("got %v", v)
	}
	do(t, c, "HSET", "h", "a", "1", "b", "2")
	if v := do(t, c, "HGETALL", "h"); !reflect.DeepEqual(v, []any{"a", "1", "b", "2"}) {
		t.Errorf("got %v", v)
	}
}

func TestWhatTheServerRefusesIsTold(t *testing.T) {
	c := client(t, redistest.Start(t).URL())
	do(t, c, "SET", "k", "text")
	_, err := c.Do(t.Context(), "INCR", "k")
	if _, ok := errors.AsType[*Refusal](err); !ok || !strings.Contains(err.Error(), "not an integer") {
		t.Errorf("err = %v", err)
	}
}

func TestAnswersOfRedisAreBounded(t *testing.T) {
	c := client(t, redistest.Start(t).URL())
	if _, err := c.Do(t.Context(), "EVAL", "return string.rep('x', 5000000)", int64(0)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a long text: %v", err)
	}
	if _, err := c.Do(t.Context(), "EVAL", "local t = {} for i = 1, 30000 do t[i] = i end return t", int64(0)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("many values: %v", err)
	}
	if v := do(t, c, "ECHO", "still here"); v != "still here" {
		t.Errorf("got %v", v)
	}
}

func TestDeadServerRefusesAndServesWhenItIsBack(t *testing.T) {
	s := redistest.Start(t)
	c := client(t, s.URL())
	do(t, c, "SET", "k", "v")
	s.Stop()
	if _, err := c.Do(t.Context(), "GET", "k"); err == nil {
		t.Fatal("a dead server answers")
	}
	if _, err := c.Do(t.Context(), "GET", "k"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("err = %v", err)
	}
	s.Again()
	if v := do(t, c, "GET", "k"); v != nil {
		t.Errorf("got %v", v)
	}
}

func TestCommandIsGivenUpWithItsCaller(t *testing.T) {
	c := client(t, silent(t))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := c.Do(ctx, "GET", "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestSilentServerIsATimeout(t *testing.T) {
	c, err := Open(Config{URL: silent(t), Timeout: 50 * time.Millisecond, Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for range 2 {
		if _, err := c.Do(t.Context(), "GET", "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
	}
}

func TestErrorsOfRedisHoldNoPassword(t *testing.T) {
	for _, url := range []string{"redis://:hunter2@%zz", "http://:hunter2@192.0.2.1", "redis://u:hunter2@192.0.2.1:x/0", "redis://u:hunter2@192.0.2.1/zero"} {
		if _, err := Open(Config{URL: url}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
	c := client(t, strings.Replace(redistest.Start(t).URL(), "redis://", "redis://nobody:hunter2@", 1))
	if _, err := c.Do(t.Context(), "GET", "k"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("err = %v", err)
	}
}

// silent is the address of a server that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "redis://" + l.Addr().String()
}

// says is the address of a server that answers each command with the same text, and
// those of the handshake with an error.
func says(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				b := make([]byte, 4096)
				for {
					n, err := conn.Read(b)
					if err != nil {
						return
					}
					answer := "-ERR unknown command\r\n"
					if strings.Contains(string(b[:n]), "GET") {
						answer = text
					}
					if _, err := conn.Write([]byte(answer)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "redis://" + l.Addr().String()
}

func TestNoLengthThatAServerAnnouncesIsTakenOnTrust(t *testing.T) {
	for _, text := range []string{
		"$9223372036854775807\r\nabc", "$99999999999999999999999\r\n", "$4294967296\r\n", "$" + strings.Repeat("0", 40) + "9223372036854775807\r\n", "$-5\r\nx", "$\r\n", "\r\n",
		"*2147483647\r\n", "*-7\r\n", "*1\r\n*9223372036854775807\r\n", "%9223372036854775807\r\n", ">4611686018427387904\r\n",
		"!9223372036854775807\r\n", "=9223372036854775807\r\n", "|9223372036854775807\r\n", strings.Repeat("*20000\r\n", 1000), strings.Repeat("*1\r\n", 1_000_000),
		"$2\r\nok\r\n*99999999\r\n", "+" + strings.Repeat("x", 5_000_000) + "\r\n", "\x00\x01\r\n",
	} {
		c, err := Open(Config{URL: says(t, text), Timeout: 2 * time.Second, Connections: 1})
		if err != nil {
			t.Fatal(err)
		}
		v, err := c.Do(t.Context(), "GET", "k")
		if err == nil && v != "ok" || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%.40q: %v, %v", text, v, err)
		}
		c.Close()
	}
}

func TestLengthsAreReadInAnyPieces(t *testing.T) {
	whole := "*3\r\n$3\r\na\nb\r\n:5\r\n$-1\r\n+OK\r\n$26\r\n$99999999999999999999999\r\n\r\n"
	for size := 1; size <= len(whole); size++ {
		var a announced
		for at := 0; at < len(whole); at += size {
			if err := a.next([]byte(whole[at:min(at+size, len(whole))])); err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
		}
		if a.values != 3 || a.skip != 0 || len(a.line) != 0 {
			t.Errorf("in pieces of %d: %+v", size, a)
		}
		if err := a.next([]byte("$99999999\r\n")); !errors.Is(err, ErrTooLarge) {
			t.Errorf("in pieces of %d: %v", size, err)
		}
	}
}
