package admin

import (
	"errors"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestADeploymentArrivesWhole(t *testing.T) {
	d := behind(t)
	h := serve(t, d, "")
	post := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", deployPath, strings.NewReader(body))
		r.Host = "localhost"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := post(`{"files": {"main.lua": "cmV0dXJuIHt9"}, "share": 0.05, "by": "trunk", "min_calls": 7, "promote_after_seconds": 60}`); w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	want := Deployment{Files: map[string][]byte{"main.lua": []byte("return {}")}, Share: 0.05, By: "trunk", MinCalls: 7, PromoteAfter: 60}
	if !reflect.DeepEqual(d.deployed, want) {
		t.Errorf("%+v", d.deployed)
	}
	refused(t, post(`{"file": {}}`), 400, "no deployment")
	get[map[string]any](t, h, "GET", deployPath, 200)
	for _, end := range []string{"promote", "rollback"} {
		get[map[string]any](t, h, "POST", "/api/v1/script/"+end, 200)
	}
	d.failure = errors.New("x_test.lua:1: it rings nobody")
	refused(t, post(`{"files": {}}`), 422, "it rings nobody")
	for _, end := range []string{"promote", "rollback"} {
		refused(t, ask(h, "POST", "/api/v1/script/"+end), 409, "it rings nobody")
	}
}
