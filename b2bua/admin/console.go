package admin

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"net/http"
	"strings"
)

//go:embed console
var consoleFiles embed.FS

// console is the page for people: one file that asks nobody but this API. It is
// open without a token because it holds nothing; the page asks for the token and
// sends it along.
type console struct {
	page   string
	policy string // its Content-Security-Policy
}

func newConsole() (*console, error) {
	var parts [3]string
	for i, name := range [...]string{"page.html", "style.css", "script.js"} {
		src, err := consoleFiles.ReadFile("console/" + name)
		if err != nil {
			return nil, err
		}
		parts[i] = string(src)
	}
	page, style, script := parts[0], parts[1], parts[2]
	return &console{
		page: strings.NewReplacer("/*style*/", style, "/*script*/", script).Replace(page),
		// Nothing but what is in the page runs. Trusted types keep the script from
		// making markup of a text.
		policy: "default-src 'none'; script-src '" + hashOf(script) + "'; style-src '" + hashOf(style) + "'; connect-src 'self'; " +
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	}, nil
}

// hashOf names a script or style that may run (CSP level 3).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// ServeHTTP answers with the page.
func (c *console) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", c.policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	_, _ = w.Write([]byte(c.page)) // the peer has gone if this fails
}
