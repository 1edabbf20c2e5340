package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxFile     = 1 << 20
	maxSecret   = 64 << 10
	maxDepth    = 32 // the parser's time grows with the square of the depth
	maxProblems = 100
)

// Load reads the file at path. env looks up ${NAME}; os.LookupEnv fits. The
// error is Problems when the file could be read but is not right.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, src, env)
}

// Parse is Load for a file already read. path is what problems call it, and its
// folder is what relative paths start from.
func Parse(path string, src []byte, env func(string) (string, bool)) (*Config, error) {
	r := &reader{file: path, dir: filepath.Dir(path), env: env, at: map[any]mark{}}
	cfg := Default()
	cfg.Path = path
	if root := r.tree(src); root != nil {
		r.value(r.unfold(root), reflect.ValueOf(cfg).Elem(), field{})
	}
	r.complete(cfg)
	r.check(cfg)
	r.problems.sort()
	if problems := append(r.problems, r.elsewhere...); len(problems) > 0 {
		return nil, problems
	}
	r.warnings.sort()
	slices.Sort(r.files)
	cfg.Files, cfg.Warnings = slices.Compact(r.files), r.warnings
	return cfg, nil
}

// LoadAdmin reads admin of the file at path and nothing else: who talks to a
// running process may lack its environment and its secrets, and a file that is
// wrong elsewhere does not keep him from it.
func LoadAdmin(path string, env func(string) (string, bool)) (Admin, error) {
	src, err := readFile(path)
	if err != nil {
		return Admin{}, fmt.Errorf("read configuration: %w", err)
	}
	r := &reader{file: path, dir: filepath.Dir(path), env: env, at: map[any]mark{}}
	var own ast.Node
	root := r.tree(src)
	if len(r.problems) > 0 {
		return Admin{}, r.problems
	}
	if root != nil {
		r.pairs(r.unfold(root), "", func(key string, _, value ast.Node) {
			if key == "admin" {
				own = value
			}
		})
	}
	r.problems = nil
	a := Default().Admin
	if own != nil {
		r.value(own, reflect.ValueOf(&a).Elem(), field{key: "admin"})
	}
	if r.admin(&a); len(r.problems) > 0 {
		return Admin{}, r.problems
	}
	return a, nil
}

// readFile reads up to one byte more than is taken.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// reader turns one file into a Config and remembers where each value stood.
type reader struct {
	file      string
	dir       string
	env       func(string) (string, bool)
	problems  Problems
	elsewhere Problems // of the file of users
	warnings  Problems
	files     []string     // read besides this one
	at        map[any]mark // by the address of the Config's field, or by entry
}

// mark is where a value stands. A value that could not be decoded is marked
// wrong, so that nothing more is said about it.
type mark struct {
	line, col int
	wrong     bool
}

// entry is the key under which a map's element is marked.
type entry struct {
	of  any // address of the map
	key string
}

// tree is the file's mapping; nil when there is none, or when it is not YAML.
func (r *reader) tree(src []byte) ast.Node {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n")) // which the parser counts twice
	if !r.readable(src) {
		return nil
	}
	file, err := parse(src)
	switch {
	case err != nil:
		r.syntax(err)
		return nil
	case len(file.Docs) == 0:
		return nil
	case len(file.Docs) > 1:
		r.problem(second(file.Docs), "a second document in one file", "remove the line --- or ...")
		return nil
	}
	switch body := file.Docs[0].Body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil
	default:
		return body
	}
}

// second is where a second document begins, as near as the parser knows.
func second(docs []*ast.DocumentNode) ast.Node {
	if t := docs[1].Start; t != nil {
		return ast.String(t)
	}
	return docs[1].Body
}

// readable refuses what must not reach the parser: too much of it, and bytes
// that YAML does not allow.
func (r *reader) readable(src []byte) bool {
	if len(src) > maxFile {
		r.add(1, 1, fmt.Sprintf("the file is larger than %d bytes", maxFile), "take out what is not used")
		return false
	}
	line, col := 1, 1
	for i := 0; i < len(src); {
		c, size := utf8.DecodeRune(src[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			r.add(line, col, "the file is not UTF-8 text", "save it as UTF-8")
			return false
		case c < ' ' && c != '\t' && c != '\n', c == 0x7f:
			r.add(line, col, fmt.Sprintf("control character %U", c), `write it in double quotes, such as "\t"`)
			return false
		}
		i += size
		if col++; c == '\n' {
			line, col = line+1, 1
		}
	}
	return true
}

var errDepth = errors.New("values are nested too deeply")

// parse calls the YAML parser. It recovers, because a file is no reason for a
// running process to die while it reloads.
func parse(src []byte) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			file, err = nil, fmt.Errorf("this is not YAML: %v", p)
		}
	}()
	tokens := lexer.Tokenize(string(src))
	if deepest(tokens) > maxDepth {
		return nil, errDepth
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// deepest counts what opens a value without a new line: brackets not yet
// closed, and the dashes, tags and anchors of one line.
func deepest(tokens token.Tokens) int {
	deep, open, inLine, line := 0, 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, inLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			open++
		case token.MappingEndType, token.SequenceEndType:
			open = max(0, open-1)
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			inLine++
		}
		deep = max(deep, open+inLine)
	}
	return deep
}

func (r *reader) syntax(err error) {
	if at, ok := errors.AsType[yaml.Error](err); ok && at.GetToken() != nil && at.GetToken().Position != nil {
		p := at.GetToken().Position
		msg, cure := syntaxCure(at.GetMessage())
		if bare := at.GetToken().Value == "{" && at.GetToken().Prev != nil && at.GetToken().Prev.Value == "$"; bare {
			cure = `put "${NAME}" in quotes between brackets`
		}
		r.add(p.Line, p.Column, msg, cure)
		return
	}
	r.add(1, 1, err.Error(), "write key: value in each line, indented with spaces")
}

// syntaxCure is what the parser says, in words that show no password and name
// what it does not, and what to do about it.
func syntaxCure(msg string) (string, string) {
	switch {
	case strings.HasPrefix(msg, "invalid header option"):
		return "text behind a | or >", "put a value that begins with | or > in quotes"
	case strings.Contains(msg, "cannot start any token"):
		return "a tab, or another character that no value begins with", "indent with spaces, and put such a value in quotes"
	case strings.HasPrefix(msg, "non-map value"):
		return msg, "write key: value, with a space behind the colon"
	}
	return msg, "close brackets and quotes, and put a value with : # or { in it in quotes"
}

func (r *reader) add(line, col int, msg, cure string) {
	r.problems = r.appended(r.problems, mark{line: line, col: col}, msg, cure)
}

func (r *reader) appended(list Problems, at mark, msg, cure string) Problems {
	if len(list) == maxProblems {
		return list
	}
	return append(list, Problem{File: r.file, Line: max(1, at.line), Col: max(1, at.col), Msg: msg, Cure: cure})
}

// warn tells of a value that is allowed and hardly meant.
func (r *reader) warn(of any, msg, cure string) {
	r.warnings = r.appended(r.warnings, r.at[of], msg, cure)
}

// problem tells what is wrong with a node.
func (r *reader) problem(n ast.Node, msg, cure string) {
	m := place(n)
	r.add(m.line, m.col, msg, cure)
}

// refuse tells what is wrong with a value that was decoded. Nothing is said
// about a default, or about a value that a problem was told of already.
func (r *reader) refuse(of any, msg, cure string) {
	if m, ok := r.at[of]; ok && !m.wrong {
		r.add(m.line, m.col, msg, cure)
	}
}

func place(n ast.Node) mark {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return mark{line: 1, col: 1}
	}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return place(m.Values[0].Key)
	}
	p := n.GetToken().Position
	return mark{line: p.Line, col: p.Column}
}
