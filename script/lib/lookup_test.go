package lib

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeServer is a RoundTripper that answers on virtual time.
type fakeServer struct {
	mu    sync.Mutex
	asked []*http.Request
	takes time.Duration
	reply func(n int) (status int, body string, err error)
}

func (s *fakeServer) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, req)
	n, takes := len(s.asked), s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
	status, body, err := 200, fmt.Sprint(n), error(nil)
	if s.reply != nil {
		status, body, err = s.reply(n)
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)),
		Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: req,
	}, nil
}

func (s *fakeServer) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func get(path string) *lookup {
	return &lookup{method: "GET", path: path, timeout: 2 * time.Second}
}

func wantAnswer(t *testing.T, c *client, path, body string, cached bool) {
	t.Helper()
	a, fromCache, err := c.ask(t.Context(), get(path))
	if err != nil || string(a.body) != body || fromCache != cached {
		t.Fatalf("%s: %+v, cached %v, %v; want %q, %v", path, a, fromCache, err, body, cached)
	}
}

func wantFailure(t *testing.T, c *client, path, text string) {
	t.Helper()
	if a, _, err := c.ask(t.Context(), get(path)); err == nil || !strings.HasPrefix(err.Error(), text) {
		t.Fatalf("%s: %+v, %v; want %q", path, a, err, text)
	}
}

func TestAnswerIsCachedForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(clientSpec{base: "http://a.example", ttl: time.Minute}, &fakeServer{})
		wantAnswer(t, c, "/x", "1", false)
		wantAnswer(t, c, "/x", "1", true)
		wantAnswer(t, c, "/y", "2", false)
		time.Sleep(time.Minute)
		wantAnswer(t, c, "/x", "3", false)
	})
}

func TestCacheServesStaleAnswersWhileTheServerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{reply: func(n int) (int, string, error) {
			switch n {
			case 1:
				return 200, "good", nil
			case 2:
				return 503, "", nil
			}
			return 0, "", errors.New("gone")
		}}
		c := newClient(clientSpec{base: "http://a.example", ttl: time.Minute, stale: time.Hour, failures: 3, window: time.Hour, open: time.Hour}, s)
		wantAnswer(t, c, "/x", "good", false)
		time.Sleep(2 * time.Minute)
		for range 5 { // 503, two errors, then the breaker is open
			wantAnswer(t, c, "/x", "good", true)
		}
		if s.times() != 4 {
			t.Errorf("asked %d times", s.times())
		}
		wantFailure(t, c, "/y", "breaker open")
		time.Sleep(time.Hour)
		wantFailure(t, c, "/x", "failed: gone")
	})
}

func TestNotFoundIsKeptForItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{reply: func(n int) (int, string, error) { return 404, fmt.Sprint(n), nil }}
		c := newClient(clientSpec{base: "http://a.example", ttl: time.Hour, negative: time.Second}, s)
		wantAnswer(t, c, "/x", "1", false)
		wantAnswer(t, c, "/x", "1", true)
		time.Sleep(time.Second)
		wantAnswer(t, c, "/x", "2", false)
	})
}

func TestEqualLookupsInFlightAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{takes: time.Second}
		c := newClient(clientSpec{base: "http://a.example"}, s)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				wantAnswer(t, c, "/x", "1", false)
			})
		}
		all.Wait()
		if s.times() != 1 || len(c.flights) != 0 {
			t.Errorf("asked %d times, %d flights left", s.times(), len(c.flights))
		}
		wantAnswer(t, c, "/x", "2", false)
	})
}

func TestRequestEndsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{takes: time.Hour}
		c := newClient(clientSpec{base: "http://a.example", failures: 1, window: time.Hour, open: time.Hour}, s)
		ctx, hangUp := context.WithCancel(t.Context())
		var caller sync.WaitGroup
		caller.Go(func() {
			if _, _, err := c.ask(ctx, get("/x")); !errors.Is(err, context.Canceled) {
				t.Errorf("err = %v", err)
			}
		})
		synctest.Wait()
		hangUp()
		caller.Wait()
		synctest.Wait()
		<-s.asked[0].Context().Done()
		// A caller who hangs up says nothing about the server; one who waited in vain does.
		wantFailure(t, c, "/x", "timeout: no answer within 2s")
		synctest.Wait()
		wantFailure(t, c, "/x", "breaker open")
	})
}

func TestBreakerOpensWithinItsWindowOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{reply: func(int) (int, string, error) { return 500, "", nil }}
		c := newClient(clientSpec{base: "http://a.example", failures: 2, window: 10 * time.Second, open: 30 * time.Second}, s)
		wantFailure(t, c, "/x", "status: 500")
		time.Sleep(11 * time.Second)
		wantFailure(t, c, "/x", "status: 500")
		time.Sleep(5 * time.Second)
		wantFailure(t, c, "/x", "status: 500")
		wantFailure(t, c, "/x", "breaker open")
		time.Sleep(30 * time.Second)
		wantFailure(t, c, "/x", "status: 500") // one try, which fails
		wantFailure(t, c, "/x", "breaker open")
		s.reply = nil
		time.Sleep(30 * time.Second)
		wantAnswer(t, c, "/x", "5", false)
		wantAnswer(t, c, "/x", "6", false)
	})
}

func TestBreakerLetsOneRequestTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{failures: 1, window: time.Second, open: time.Second}
		b.settle(outcomeBad)
		time.Sleep(time.Second)
		if !b.admit() || b.admit() {
			t.Fatal("want exactly one try")
		}
		b.settle(outcomeUnknown)
		if !b.admit() {
			t.Fatal("an abandoned try must not be the last")
		}
		b.settle(outcomeGood)
		if first, second := b.admit(), b.admit(); !first || !second {
			t.Error("the breaker stayed open")
		}
	})
}

func TestAnswersAreBounded(t *testing.T) {
	s := &fakeServer{reply: func(int) (int, string, error) { return 200, strings.Repeat("x", maxBody+1), nil }}
	wantFailure(t, newClient(clientSpec{base: "http://a.example"}, s), "/x", "too large")
	s.reply = func(int) (int, string, error) { return 200, strings.Repeat("x", maxBody), nil }
	c := newClient(clientSpec{base: "http://a.example", ttl: time.Hour}, s)
	for i := range maxCacheBytes/maxBody + 5 {
		if _, _, err := c.ask(t.Context(), get(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if c.bytes != maxCacheBytes || len(c.cache.places) != maxCacheBytes/maxBody {
		t.Errorf("%d bytes of %d answers kept", c.bytes, len(c.cache.places))
	}
}

func TestRequestCarriesQueryHeadersAndBody(t *testing.T) {
	s := &fakeServer{}
	c := newClient(clientSpec{base: "http://a.example/v1/", headers: map[string]string{"Authorization": "Bearer x", "X-A": "1"}}, s)
	l := &lookup{
		method: "POST", path: "/lookup", timeout: time.Second, body: []byte("{}"),
		query: map[string]string{"number": "+49 30", "b": "&"}, headers: map[string]string{"X-A": "2"},
	}
	if _, _, err := c.ask(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	req := s.asked[0]
	if got := req.URL.String(); got != "http://a.example/v1/lookup?b=%26&number=%2B49+30" {
		t.Errorf("address %s", got)
	}
	if req.Header.Get("Authorization") != "Bearer x" || req.Header.Get("X-A") != "2" || req.ContentLength != 2 {
		t.Errorf("%v, %d bytes", req.Header, req.ContentLength)
	}
}

func TestLookupsWithOtherValuesAreNotEqual(t *testing.T) {
	a := &lookup{query: map[string]string{"a": "1 b:2"}}
	b := &lookup{query: map[string]string{"a": "1", "b": "2"}}
	if a.key() == b.key() {
		t.Errorf("one key for two: %s", a.key())
	}
	x := clientSpec{headers: map[string]string{"a": "1 b:2"}}
	y := clientSpec{headers: map[string]string{"a": "1", "b": "2"}}
	if x.id() == y.id() {
		t.Errorf("one id for two: %s", x.id())
	}
}

func TestRedirectionsLeadToTheSameServerOnly(t *testing.T) {
	var other *httptest.Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/out":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/in":
			http.Redirect(w, r, "/here", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	}))
	defer server.Close()
	other = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other server was asked") }))
	defer other.Close()
	c := newClient(clientSpec{base: server.URL}, http.DefaultTransport)
	for path, want := range map[string]int{"/out": 302, "/in": 200, "/loop": 302} {
		if a, _, err := c.ask(t.Context(), get(path)); err != nil || a.status != want {
			t.Errorf("%s: %+v, %v; want %d", path, a, err, want)
		}
	}
}

func TestServerThatIsNotThereRefuses(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	base := server.URL
	c := newClient(clientSpec{base: base}, http.DefaultTransport)
	if a, _, err := c.ask(t.Context(), get("/x")); err != nil || a.status != 404 {
		t.Fatalf("%+v, %v", a, err)
	}
	server.Close()
	wantFailure(t, c, "/x", "refused")
}

func TestConnectionsAreKeptAlive(t *testing.T) {
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 64<<10))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	r := newRig(t, Config{})
	src := `local c = b2b.http.client{base = "` + s.URL + `", timeout = 10} for i = 1, 20 do assert(c:get("/" .. i)) end`
	if _, err := r.run(t.Context(), true, src); err != nil || opened.Load() != 1 {
		t.Errorf("%d connections, %v", opened.Load(), err)
	}
}
