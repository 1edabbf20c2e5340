package redis

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// errGarbled is what no Redis says.
var errGarbled = errors.New("not an answer of Redis")

// maxLine is as much of a line as is looked at; lengths are shorter.
const maxLine = 24

// announced follows what a server says and refuses lengths that its answer can't
// have: the library makes room for what is announced before it has come.
type announced struct {
	line   []byte // the beginning of the line that is read; its type and digits
	skip   int    // bytes of a text that are still to come, with its CR LF
	values int    // of the answer so far
}

// next looks at the bytes that came next.
func (a *announced) next(b []byte) error {
	for len(b) > 0 {
		if n := min(a.skip, len(b)); n > 0 {
			a.skip -= n
			b = b[n:]
			continue
		}
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		a.line = append(a.line, line[:min(len(line), maxLine-len(a.line))]...)
		if !whole {
			return nil
		}
		if err := a.header(bytes.TrimSuffix(a.line, []byte("\r")), len(a.line) == maxLine); err != nil {
			return err
		}
		a.line, b = a.line[:0], rest
	}
	return nil
}

// header takes the first line of a value, or what was kept of a long one.
func (a *announced) header(line []byte, long bool) error {
	if len(line) == 0 {
		return errGarbled
	}
	text := strings.IndexByte("$=!", line[0]) >= 0
	if !text && strings.IndexByte("*~>%|", line[0]) < 0 {
		return nil
	}
	switch n, err := strconv.Atoi(string(line[1:])); {
	case err != nil || n < -1 || long:
		return errGarbled
	case text && n > maxReply, !text && n > maxValues-a.values:
		return ErrTooLarge
	case n < 0: // nothing
	case text:
		a.skip = n + len("\r\n")
	default:
		a.values += n
	}
	return nil
}
