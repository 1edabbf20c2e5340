package admin

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestTheConsoleIsOnePageThatRunsNothingElse(t *testing.T) {
	w := ask(serve(t, behind(t), "t0ken"), "GET", "/console") // no token: it holds nothing
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatal(w.Code, w.Header())
	}
	page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %s in %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error(policy)
	}
	for _, part := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<` + part + `>(.*)</` + part + `>`).FindStringSubmatch(page)
		if found == nil || len(found[1]) < 100 || !strings.Contains(policy, part+"-src '"+hashOf(found[1])+"'") {
			t.Errorf("the policy does not let the %s run", part)
		}
	}
	if found := regexp.MustCompile(`(?i)https?:|//\w|<link|<img|src=|innerHTML|insertAdjacent|document\.write|eval|style="|\son\w+=`).FindAllString(page, -1); found != nil {
		t.Errorf("found %q", found)
	}
}

func TestTheConsoleIsForThoseWhoMayAsk(t *testing.T) {
	h := serve(t, behind(t), "")
	if w := ask(h, "GET", "/console", "Host", "evil.example"); w.Code != http.StatusForbidden {
		t.Error("got", w.Code)
	}
	refused(t, ask(h, "POST", "/console"), 405, "POST")
}
