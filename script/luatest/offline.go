package luatest

import (
	"errors"
	"net/http"
)

// offline is the scripts' network in tests: there is none. Scripts get it as
// the err of a look-up.
type offline struct{}

// RoundTrip refuses.
func (offline) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close() // nothing is lost with it
	}
	return nil, errors.New("tests have no network")
}
