package capture

import (
	"slices"
	"strings"

	"legwork/b2bua/message"
)

// Line is one line of a difference.
type Line struct {
	Op   Op     `json:"op"`
	Text string `json:"text"`
}

// Op says where a line is.
type Op string

// In both texts, in the new one only, in the old one only.
const (
	Same    Op = " "
	Added   Op = "+"
	Removed Op = "-"
)

// Diff compares the message of a step with the one it was made of; nil when
// there is none, or one of them was not kept whole. Header fields may have
// changed places: only what they say is compared.
func (s *Story) Diff(n int) []Line {
	st := s.step(n)
	if st == nil || st.Message == nil {
		return nil
	}
	from := s.step(st.Message.Source)
	if from == nil || from.Message == nil || from.Message.Cut || st.Message.Cut || from.Message.Text == "" {
		return nil
	}
	return Diff(from.Message.Text, st.Message.Text)
}

// Diff compares the texts of two messages; see Story.Diff.
func Diff(was, is string) []Line {
	oldHead, oldBody := halves(was)
	newHead, newBody := halves(is)
	var out []Line
	if oldHead[0] != newHead[0] {
		out = append(out, Line{Removed, oldHead[0]}, Line{Added, newHead[0]})
	} else {
		out = append(out, Line{Same, newHead[0]})
	}
	out = append(out, fields(oldHead[1:], newHead[1:])...)
	if len(oldBody)+len(newBody) > 0 {
		out = append(append(out, Line{Same, ""}), inOrder(oldBody, newBody)...)
	}
	return out
}

// halves are the lines of head and body.
func halves(text string) (head, body []string) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	before, after, _ := strings.Cut(text, "\n\n")
	head = strings.Split(strings.TrimSuffix(before, "\n"), "\n")
	if after != "" {
		body = strings.Split(strings.TrimSuffix(after, "\n"), "\n")
	}
	return head, body
}

// fields compares header fields in the order of the new message; what became of
// an old one stands before it, and what is gone at the end.
func fields(was, is []string) []Line {
	left := slices.Clone(was)
	take := func(match func(old string) bool) (string, bool) {
		i := slices.IndexFunc(left, match)
		if i < 0 {
			return "", false
		}
		old := left[i]
		left = slices.Delete(left, i, i+1)
		return old, true
	}
	out := make([]Line, len(is))
	changed := make([]string, len(is))
	for i, line := range is {
		out[i] = Line{Added, line}
		if _, ok := take(func(old string) bool { return sameLine(old, line) }); ok {
			out[i].Op = Same
		}
	}
	for i, line := range is {
		if out[i].Op == Added {
			name, _ := cutField(line)
			changed[i], _ = take(func(old string) bool {
				other, _ := cutField(old)
				return message.Same(other, name)
			})
		}
	}
	var all []Line
	for i, one := range out {
		if changed[i] != "" {
			all = append(all, Line{Removed, changed[i]})
		}
		all = append(all, one)
	}
	for _, old := range left {
		all = append(all, Line{Removed, old})
	}
	return all
}

func cutField(line string) (name, value string) {
	name, value, _ = strings.Cut(line, ":")
	return strings.TrimSpace(name), strings.TrimSpace(value)
}

// sameLine compares fields: case and compact forms of the name don't matter.
func sameLine(a, b string) bool {
	nameA, valueA := cutField(a)
	nameB, valueB := cutField(b)
	return valueA == valueB && message.Same(nameA, nameB)
}

// maxCompared bounds the lines of bodies that are compared line by line.
const maxCompared = 400

// inOrder compares lines whose order matters.
func inOrder(was, is []string) []Line {
	if len(was) > maxCompared || len(is) > maxCompared {
		return append(all(Removed, was), all(Added, is)...)
	}
	shared := make([][]int, len(was)+1) // lines that the ends from i and j on share
	for i := range shared {
		shared[i] = make([]int, len(is)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(is) - 1; j >= 0; j-- {
			if was[i] == is[j] {
				shared[i][j] = shared[i+1][j+1] + 1
			} else {
				shared[i][j] = max(shared[i+1][j], shared[i][j+1])
			}
		}
	}
	var out []Line
	i, j := 0, 0
	for i < len(was) && j < len(is) {
		switch {
		case was[i] == is[j]:
			out = append(out, Line{Same, is[j]})
			i, j = i+1, j+1
		case shared[i+1][j] >= shared[i][j+1]:
			out = append(out, Line{Removed, was[i]})
			i++
		default:
			out = append(out, Line{Added, is[j]})
			j++
		}
	}
	return append(append(out, all(Removed, was[i:])...), all(Added, is[j:])...)
}

func all(op Op, lines []string) []Line {
	out := make([]Line, 0, len(lines))
	for _, line := range lines {
		out = append(out, Line{op, line})
	}
	return out
}
