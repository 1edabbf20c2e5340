package cucm

import (
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// sdpFunctions are what strings can do with SDP: a script treats it as text, so
// that what is not valid can be mended too. Lines are found by how they begin and
// what they contain, as they stand, not as patterns.
func sdpFunctions() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"getLine": func(L *glua.LState) int {
			lines := linesOf(wantText(L, 1))
			i := lineOf(L, lines)
			if i < 0 {
				return pushNil(L)
			}
			return pushText(L, bare(lines[i]))
		},
		"modifyLine":       editLine(func(_, with string) []string { return []string{with} }),
		"insertLineAfter":  editLine(func(line, with string) []string { return []string{line, with} }),
		"insertLineBefore": editLine(func(line, with string) []string { return []string{with, line} }),
		"removeLine": func(L *glua.LState) int {
			lines := linesOf(wantText(L, 1))
			if i := lineOf(L, lines); i >= 0 {
				lines = append(lines[:i], lines[i+1:]...)
			}
			return pushText(L, strings.Join(lines, ""))
		},
		"addLine":                addText,
		"addMediaDescription":    addText,
		"getMediaDescription":    getMedia,
		"modifyMediaDescription": modifyMedia,
		"insertMediaDescription": insertMedia,
		"removeMediaDescription": removeMedia,
	}
}

// linesOf cuts a text behind its line ends; a last line without one gets one.
func linesOf(text string) []string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\r\n"
	}
	lines := strings.SplitAfter(text, "\n")
	return lines[:len(lines)-1]
}

func bare(line string) string { return strings.TrimRight(line, "\r\n") }

// ended is a text with one line end behind it.
func ended(text string) string { return bare(text) + "\r\n" }

// lineOf is the first line that begins with argument 2 and contains argument 3,
// or -1.
func lineOf(L *glua.LState, lines []string) int {
	begins, contains := wantText(L, 2), mayText(L, 3)
	for i, line := range lines {
		if strings.HasPrefix(line, begins) && strings.Contains(bare(line), contains) {
			return i
		}
	}
	return -1
}

// editLine is a function that puts other lines in the place of one; without it
// the text stays.
func editLine(edit func(line, with string) []string) glua.LGFunction {
	return func(L *glua.LState) int {
		text := wantText(L, 1)
		lines, with := linesOf(text), ended(wantText(L, 4))
		i := lineOf(L, lines)
		if i < 0 {
			return pushText(L, text)
		}
		return pushText(L, strings.Join(lines[:i], "")+strings.Join(edit(lines[i], with), "")+strings.Join(lines[i+1:], ""))
	}
}

// addText is sdp:addLine(line) and sdp:addMediaDescription(description).
func addText(L *glua.LState) int {
	return pushText(L, strings.Join(linesOf(wantText(L, 1)), "")+ended(wantText(L, 2)))
}

// media cuts an SDP into the part of the session and those of its streams.
func media(text string) (parts []string) {
	lines := linesOf(text)
	text = strings.Join(lines, "")
	begins, ends := 0, 0
	for _, line := range lines {
		if strings.HasPrefix(line, "m=") {
			parts = append(parts, text[begins:ends])
			begins = ends
		}
		ends += len(line)
	}
	return append(parts, text[begins:])
}

// level is the stream that argument 2 names, by number from 1 or by what its m=
// line contains; 0 when there is none.
func level(L *glua.LState, parts []string) int {
	if n, ok := L.Get(2).(glua.LNumber); ok {
		if n >= 1 && n < glua.LNumber(len(parts)) {
			return int(n)
		}
		return 0
	}
	contains := wantText(L, 2)
	for i := 1; i < len(parts); i++ {
		line, _, _ := strings.Cut(parts[i], "\n")
		if strings.Contains(line, contains) {
			return i
		}
	}
	return 0
}

func getMedia(L *glua.LState) int {
	parts := media(wantText(L, 1))
	i := level(L, parts)
	if i == 0 {
		return pushNil(L)
	}
	return pushText(L, parts[i])
}

func modifyMedia(L *glua.LState) int {
	parts := media(wantText(L, 1))
	if i := level(L, parts); i > 0 {
		parts[i] = ended(wantText(L, 3))
	}
	return pushText(L, strings.Join(parts, ""))
}

func removeMedia(L *glua.LState) int {
	parts := media(wantText(L, 1))
	if i := level(L, parts); i > 0 {
		parts[i] = ""
	}
	return pushText(L, strings.Join(parts, ""))
}

// insertMedia puts a stream before the one that has the number now; one more
// than there are puts it last.
func insertMedia(L *glua.LState) int {
	parts := media(wantText(L, 1))
	n, ok := L.Get(2).(glua.LNumber)
	if !ok {
		lua.RaiseAt(L, "insertMediaDescription: want the number of a media description, got %s", L.Get(2).Type())
	}
	at := 1
	if n > 1 {
		at = int(min(n, glua.LNumber(len(parts))))
	}
	before := strings.Join(parts[:at], "")
	return pushText(L, before+ended(wantText(L, 3))+strings.Join(parts[at:], ""))
}
