package admin

import (
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/door"
)

func TestBansAreListedAndLifted(t *testing.T) {
	d := behind(t)
	since := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	d.bans = []door.Ban{
		{Source: netip.MustParsePrefix("198.51.100.7/32"), Reason: door.Scanner, Since: since, Until: since.Add(time.Hour), Messages: 3},
		{Source: netip.MustParsePrefix("2001:db8::/64"), Reason: door.Credentials, Proven: true, Since: since, Until: since.Add(time.Hour)},
	}
	h := serve(t, d, "")
	list := get[BanList](t, h, "GET", "/api/v1/bans", 200).Bans
	if len(list) != 2 || list[0] != (Ban{"198.51.100.7", "scanner", false, since, since.Add(time.Hour), 3}) || list[1].Source != "2001:db8::/64" {
		t.Errorf("%+v", list)
	}
	refused(t, ask(h, "DELETE", "/api/v1/bans/somebody"), 400, "IP address")
	refused(t, ask(h, "DELETE", "/api/v1/bans/198.51.100.8"), 404, "not banned")
	for _, source := range []string{"198.51.100.7", "2001:db8::9"} {
		if w := ask(h, "DELETE", "/api/v1/bans/"+source); w.Code != 204 {
			t.Errorf("%s: %d %s", source, w.Code, w.Body)
		}
	}
	if list := get[BanList](t, h, "GET", "/api/v1/bans", 200).Bans; list == nil || len(list) != 0 {
		t.Errorf("%v", list)
	}
}

func TestATokenIsGuessedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, behind(t), "good")
		var wait sync.WaitGroup
		began := time.Now()
		for range mostGuesses {
			wait.Go(func() {
				if w := ask(h, "GET", "/api/v1/calls", "Authorization", "Bearer guess"); w.Code != 401 || time.Since(began) < guessPause {
					t.Error(w.Code, time.Since(began))
				}
			})
		}
		synctest.Wait()
		for _, token := range []string{"guess", "good"} {
			w := ask(h, "GET", "/api/v1/calls", "Authorization", "Bearer "+token)
			if refused(t, w, 429, "wrong tokens"); w.Header().Get("Retry-After") != "1" {
				t.Error(w.Header())
			}
		}
		r := httptest.NewRequest("GET", "/api/v1/calls", nil)
		r.RemoteAddr = "192.0.2.9:1234"
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 200 {
			t.Error("from elsewhere:", w.Code)
		}
		if w := ask(h, "GET", "/healthz"); w.Code != 200 {
			t.Error("health:", w.Code)
		}
		wait.Wait()
		if w := ask(h, "GET", "/api/v1/calls", "Authorization", "Bearer good"); w.Code != 200 {
			t.Error("afterwards:", w.Code)
		}
	})
}
