package admin

import (
	"context"
	"errors"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (d *double) Trace(f TraceFilter) (Trace, error) {
	if f.Number == "busy" {
		return nil, errors.New("too many traces run")
	}
	d.traced = f
	return d, nil
}

// Next gives two stories at once and then nothing.
func (d *double) Next(ctx context.Context) ([]byte, bool) {
	if d.told++; d.told <= 2 {
		return []byte("{\"id\": \"" + strconv.Itoa(d.told) + "\"}\n"), true
	}
	<-ctx.Done()
	return nil, false
}

func (d *double) End() [][]byte {
	d.ended++
	return [][]byte{[]byte(`{"id": "open"}`)}
}

func TestATraceTellsCallsUntilItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := behind(t)
		began := time.Now()
		w := ask(serve(t, d, ""), "GET", "/api/v1/trace?number=4711&trunk=pbx&for=40s&mask=numbers")
		if took := time.Since(began); took != 40*time.Second {
			t.Error("it took", took)
		}
		if d.traced != (TraceFilter{Number: "4711", Trunk: "pbx", MaskNumbers: true}) || d.ended != 1 {
			t.Errorf("traced %+v, ended %d times", d.traced, d.ended)
		}
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/x-ndjson" {
			t.Error("got", w.Code, w.Header())
		}
		// An empty line at once and every 15 s, and what is in progress at the end.
		if got := w.Body.String(); got != "\n{\"id\": \"1\"}\n{\"id\": \"2\"}\n\n\n{\"id\": \"open\"}\n" {
			t.Errorf("got %q", got)
		}
	})
}

func TestATraceEndsWithItsClientAndWithTheServer(t *testing.T) {
	for _, serverGoes := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			d := behind(t)
			a, err := newAPI(configOf(d, ""))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Minute, func() {
				if serverGoes {
					close(a.leaving)
				} else {
					cancel()
				}
			})
			began, w := time.Now(), httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/api/v1/trace?trunk=pbx", nil).WithContext(ctx)
			r.Host = "localhost"
			a.handler().ServeHTTP(w, r)
			cancel()
			if took := time.Since(began); took != time.Minute || d.ended != 1 || strings.Contains(w.Body.String(), "open") {
				t.Errorf("server goes: %v; it took %v, ended %d times: %s", serverGoes, took, d.ended, w.Body)
			}
		})
	}
}

func TestATraceWithoutAFilterOrWithoutEndIsRefused(t *testing.T) {
	h := serve(t, behind(t), "")
	for query, why := range map[string]string{
		"": "number or a trunk", "trunk=pbx&for=x": "for is a time", "trunk=pbx&for=25h": "at most 24h", "trunk=pbx&for=-1s": "for is a time", "trunk=pbx&mask=all": "mask",
	} {
		refused(t, ask(h, "GET", "/api/v1/trace?"+query), 400, why)
	}
	refused(t, ask(h, "GET", "/api/v1/trace?number=busy"), 429, "too many")
}

func TestATraceOfATrunkThatIsNotThereIsRefused(t *testing.T) {
	w := ask(serve(t, behind(t), ""), "GET", "/api/v1/trace?trunk=pxb&for=1s")
	if w.Code != 404 || !strings.Contains(w.Body.String(), `there is no trunk \"pxb\"`) {
		t.Error(w.Code, w.Body)
	}
}
