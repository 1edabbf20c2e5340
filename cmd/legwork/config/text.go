package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// text is a string with ${NAME} expanded.
func (r *reader) text(n ast.Node, name string) (string, bool) {
	var s string
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	default:
		return "", r.want(n, name, "a string")
	}
	out, err := expand(s, r.env)
	unset, ok := errors.AsType[unsetVariable](err)
	switch {
	case ok:
		r.problem(n, fmt.Sprintf("%s: %v", name, err), fmt.Sprintf("set it, or write ${%s:-default}", string(unset)))
	case err != nil:
		r.problem(n, fmt.Sprintf("%s: %v", name, err), "$$ stands for one $")
	}
	return out, err == nil
}

// unsetVariable is the name of a variable that is not in the environment.
type unsetVariable string

func (v unsetVariable) Error() string { return "environment variable " + string(v) + " is not set" }

// secret is a text, or the content of the file that !file names. No problem
// that it tells of shows any of it.
func (r *reader) secret(n ast.Node, name string) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return r.text(n, name)
	case *ast.TagNode:
		if n.Start.Value == "!file" {
			return r.secretFile(n, name)
		}
		r.problem(n, name+": the only tag here is !file", "put a value that begins with ! in quotes")
	case *ast.AnchorNode, *ast.AliasNode:
		r.problem(n, name+": anchors and aliases are not taken", "put a value that begins with & or * in quotes")
	case *ast.SequenceNode, *ast.MappingNode, *ast.MappingValueNode, *ast.NullNode:
		return "", r.want(n, name, "a string")
	default:
		r.problem(n, name+": want a string", "put it in quotes")
	}
	return "", false
}

func (r *reader) secretFile(n *ast.TagNode, name string) (string, bool) {
	path, ok := r.text(n.Value, name)
	if !ok {
		return "", false
	}
	path = within(r.dir, path)
	r.files = append(r.files, path)
	s, err := readSecret(path)
	if err != nil {
		r.problem(n, fmt.Sprintf("%s: %v", name, err), "name a file that holds the secret")
		return "", false
	}
	return s, true
}

// readSecret is a file's content without the white space around it.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch s := strings.TrimSpace(string(content)); {
	case err != nil:
		return "", err
	case len(content) > maxSecret:
		return "", fmt.Errorf("%s: larger than %d bytes", path, maxSecret)
	case s == "":
		return "", fmt.Errorf("%s: the file is empty", path)
	default:
		return s, nil
	}
}

// expand replaces ${NAME} and ${NAME:-default}; $$ is a dollar sign, and a
// dollar sign before anything else is itself. What a variable holds is not
// expanded again.
func expand(s string, env func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), nil
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			s = after[1:]
		case strings.HasPrefix(after, "{"):
			inner, rest, closed := strings.Cut(after[1:], "}")
			if !closed {
				return "", errors.New("${ without }")
			}
			v, err := variable(inner, env)
			if err != nil {
				return "", err
			}
			out.WriteString(v)
			s = rest
		default:
			out.WriteByte('$')
			s = after
		}
	}
}

func variable(inner string, env func(string) (string, bool)) (string, error) {
	name, fallback, optional := strings.Cut(inner, ":-")
	if !isVariable(name) {
		return "", errors.New("what stands in ${} is not the name of an environment variable")
	}
	v, ok := env(name)
	switch {
	case ok && (v != "" || !optional): // as in a shell, :- also replaces an empty value
		return v, nil
	case optional:
		return fallback, nil
	}
	return "", unsetVariable(name)
}

func isVariable(name string) bool {
	for i, c := range name {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// within resolves a path of the file against the file's folder.
func within(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
