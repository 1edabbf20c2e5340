package b2bua

import (
	"context"
	"encoding/csv"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// torture is one message of RFC 4475 or RFC 5118 and what may come of it.
type torture struct {
	name      string
	bytes     []byte
	ok, never []string // "relay", "400", "48x", "2xx", "none", "any"
}

func tortures(t *testing.T) []torture {
	t.Helper()
	var all []torture
	for _, folder := range []string{"rfc4475/dat", "rfc5118/wire"} {
		dir := filepath.Join("testdata", "torture", filepath.FromSlash(folder))
		f, err := os.Open(filepath.Join(filepath.Dir(dir), "expect.csv"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r := csv.NewReader(f)
		r.Comma, r.LazyQuotes = '|', true
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			b, err := os.ReadFile(filepath.Join(dir, row[0]+".dat"))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, torture{row[0], b, words(row[4]), words(row[5])})
		}
	}
	return all
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// outcome is what was seen of one message: "relay" and the final answers.
type outcome []string

func (o outcome) matches(pattern string) bool {
	switch pattern {
	case "none":
		return len(o) == 0
	case "any":
		return len(o) > 0
	}
	return slices.ContainsFunc(o, func(seen string) bool {
		return seen == pattern || len(seen) == 3 && len(pattern) == 3 &&
			strings.HasPrefix(seen, strings.TrimRight(pattern, "x")) && strings.HasSuffix(pattern, "x")
	})
}

func (o outcome) judge(t *testing.T, c torture) {
	t.Helper()
	for _, never := range c.never {
		if o.matches(never) {
			t.Errorf("%s: got %v, must never be %s", c.name, o, never)
		}
	}
	if !slices.ContainsFunc(c.ok, o.matches) {
		t.Errorf("%s: got %v, want one of %v", c.name, o, c.ok)
	}
}

func TestTortureMessagesOverUDP(t *testing.T) {
	for _, c := range tortures(t) {
		var mu sync.Mutex
		var seen outcome
		play(t, &fixed{invite: toBob}, func(r *rig) {
			r.network.OnPath(func(p simnet.Packet) bool {
				mu.Lock()
				defer mu.Unlock()
				if p.From.String() == sbc {
					seen = append(seen, outcomeOf(p.Bytes, p.To.Addr() == netip.MustParseAddr("192.0.2.2"))...)
				}
				return p.From.String() != sbc
			})
			raw, err := r.network.ListenPacket(context.Background(), netip.MustParseAddrPort("192.0.2.77:5060"))
			r.check(err)
			_, err = raw.WriteToUDPAddrPort(c.bytes, netip.MustParseAddrPort(sbc))
			r.check(err)
			time.Sleep(2 * time.Minute)
			raw.Close()
		})
		slices.Sort(seen)
		outcome(slices.Compact(seen)).judge(t, c)
	}
}

// outcomeOf says what a message that left the server means.
func outcomeOf(b []byte, toCallee bool) outcome {
	m, err := message.Parse(b)
	switch {
	case err != nil:
		return outcome{"unreadable"}
	case m.IsRequest() && toCallee && m.Method == "INVITE":
		return outcome{"relay"}
	case m.IsRequest() || m.Status < 200 || toCallee:
		return nil
	}
	return outcome{strconv.Itoa(m.Status)}
}

func TestTortureMessagesOverTCP(t *testing.T) {
	for _, c := range tortures(t) {
		if c.name == "dblreq" || c.name == "clerr" {
			continue // what follows the body is a message of its own on a stream; clerr waits for the rest
		}
		var mu sync.Mutex
		var seen outcome
		play(t, &fixed{invite: toBob}, func(r *rig) {
			r.network.OnPath(func(p simnet.Packet) bool {
				mu.Lock()
				defer mu.Unlock()
				if p.From.String() == sbc && p.To.Addr() == netip.MustParseAddr("192.0.2.2") {
					seen = append(seen, outcomeOf(p.Bytes, true)...)
				}
				return p.From.String() != sbc
			})
			conn, err := r.network.Dial(context.Background(), netip.MustParseAddr("192.0.2.77"), netip.MustParseAddrPort(sbc))
			r.check(err)
			go func() {
				for _, m := range messagesOf(conn) {
					mu.Lock()
					seen = append(seen, outcomeOf(m, false)...)
					mu.Unlock()
				}
			}()
			for i := range c.bytes { // byte by byte: a stream has no other borders
				if _, err := conn.Write(c.bytes[i : i+1]); err != nil {
					break
				}
			}
			time.Sleep(2 * time.Minute)
			conn.Close()
		})
		slices.Sort(seen)
		for _, never := range c.never {
			if seen.matches(never) {
				t.Errorf("%s: got %v, must never be %s", c.name, seen, never)
			}
		}
	}
}

// messagesOf reads a stream to its end.
func messagesOf(conn net.Conn) [][]byte {
	all, _ := io.ReadAll(conn)
	var list [][]byte
	for _, part := range strings.SplitAfter(string(all), "\r\n\r\n") {
		if part != "" {
			list = append(list, []byte(part))
		}
	}
	return list
}
