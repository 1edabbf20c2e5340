package lua

import (
	"maps"
	"slices"
	"sync"

	glua "github.com/yuin/gopher-lua"
)

// Coverage notes which lines are run by the VMs that have it in their Config. It
// may be used from any goroutine. A VM with one is several times slower.
type Coverage struct {
	mu    sync.Mutex // guards files
	files map[string]map[int]int
}

// spot is a line that runs.
type spot struct {
	file string
	line int
}

// cover notes the line of the instruction that comes next, when it is another
// than that of the last one.
func (t *task) cover() {
	L := t.root
	if n := len(t.th); n > 0 {
		L = t.th[n-1]
	}
	at, ok := L.GetStack(0)
	if !ok {
		return
	}
	if _, err := L.GetInfo("Sl", at, nil); err != nil {
		return
	}
	now := spot{at.Source, at.CurrentLine}
	if now == t.last {
		return
	}
	t.last = now
	t.vm.cfg.Cover.note(now)
}

func (c *Coverage) note(p spot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := c.files[p.file]
	if lines == nil {
		if c.files == nil {
			c.files = map[string]map[int]int{}
		}
		lines = map[int]int{}
		c.files[p.file] = lines
	}
	lines[p.line]++
}

// Times tells how often a line was entered.
func (c *Coverage) Times(file string, line int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.files[file][line]
}

// Lines lists the lines of a file that have something to run.
func Lines(proto *glua.FunctionProto) []int {
	lines := map[int]bool{}
	collect(proto, lines)
	return slices.Sorted(maps.Keys(lines))
}

// zeroJump is how an instruction writes a jump of nothing.
const zeroJump = 1<<17 - 1

func collect(p *glua.FunctionProto, lines map[int]bool) {
	last := len(p.Code) - 1 // the return that the compiler adds at the end
	for pc, line := range p.DbgSourcePositions {
		code := p.Code[pc]
		back := opcode(code) == glua.OP_JMP && argBx(code) < zeroJump // the end of a while
		if pc < last && opcode(code) != glua.OP_CLOSE && !back {
			lines[line] = true
		}
	}
	for _, child := range p.FunctionPrototypes {
		collect(child, lines)
	}
}
