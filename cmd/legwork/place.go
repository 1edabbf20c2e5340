package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"legwork/cmd/legwork/config"
)

// cannotListen says which line of the file asks for a socket that the machine
// does not give, and what to do.
func (e *engine) cannotListen(i int, l config.Listener, err error) error {
	return e.blame(fmt.Sprintf("$.listen[%d].address", i), fmt.Sprintf("listener %q: %s", l.Name, l.Transport), l.Address, err)
}

// cannotWrite says which line asks for records in a file that cannot be had.
func (e *engine) cannotWrite(i int, err error) error {
	return e.placed(fmt.Sprintf("$.cdr[%d].path", i), config.Problem{
		Msg: fmt.Sprintf("cdr: %v", err), Cure: "name a file that this user may write",
	})
}

// blame names the line of an address that cannot be had.
func (e *engine) blame(path, who, address string, err error) error {
	p := config.Problem{Msg: fmt.Sprintf("%s %s: %v", who, address, err)}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		p.Msg = fmt.Sprintf("%s %s is in use by another process", who, address)
		p.Cure = "stop that process, or take another port"
	case errors.Is(err, syscall.EACCES):
		p.Msg = fmt.Sprintf("%s %s is not permitted", who, address)
		p.Cure = "take a port above 1023, or grant CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		p.Msg = fmt.Sprintf("%s %s is not an address of this machine", who, address)
		p.Cure = "take one of its own, 0.0.0.0 or [::]"
	}
	if e.Path == "" {
		return mend(fmt.Errorf("%s; %s (without a configuration file the defaults apply: legwork init writes one)", p.Msg, p.Cure))
	}
	return e.placed(path, p)
}

// placed says where in the file a problem is; path is goccy's YAMLPath to it.
func (e *engine) placed(path string, p config.Problem) error {
	p.File, p.Line, p.Col = e.Path, 1, 1
	if line, col, ok := locate(e.Path, path); ok {
		p.Line, p.Col = line, col
	}
	return mend(errors.New(p.String()))
}

// yamlPath is goccy's YAMLPath of keys.
func yamlPath(keys ...string) string {
	b := (&yaml.PathBuilder{}).Root()
	for _, key := range keys {
		b = b.Child(key)
	}
	return b.Build().String()
}

// locate finds a value in a YAML file.
func locate(file, path string) (line, col int, ok bool) {
	src, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, false
	}
	at, err := yaml.PathString(path)
	if err != nil {
		return 0, 0, false
	}
	tree, err := parser.ParseBytes(src, 0)
	if err != nil {
		return 0, 0, false
	}
	for _, doc := range tree.Docs {
		doc.Body = config.Unfold(doc.Body)
	}
	node, err := at.FilterFile(tree)
	if err != nil || node.GetToken() == nil {
		return 0, 0, false
	}
	p := node.GetToken().Position
	return p.Line, p.Column, true
}
