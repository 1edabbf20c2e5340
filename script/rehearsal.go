package script

import (
	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// Rehearsal is where a test of the scripts runs: a VM that no call uses, with the
// modules of the generation that was live when it was made. Tests of the same
// policy share with its calls what all VMs share, and nothing else.
type Rehearsal struct{ m *machine }

// Rehearse makes one.
func (p *Policy) Rehearse() *Rehearsal {
	p.mu.Lock()
	g := p.live
	p.mu.Unlock()
	return &Rehearsal{g.newMachine()}
}

// VM is the rehearsal's, for libraries and runs of whoever has it.
func (r *Rehearsal) VM() *lua.VM { return r.m.vm }

// Message shows a message that an agent got from source as hooks see
// messages, but to be read only.
func (r *Rehearsal) Message(L *glua.LState, msg *message.Message, source b2bua.Source) glua.LValue {
	view, object := r.m.message(L, msg)
	view.readOnly = "a message that was received cannot be changed; what c:a():send and c:b(n):send are given is sent"
	view.source = source
	return object
}

// Read takes a snapshot of the folder as it is now.
func (s Source) Read() (*Snapshot, error) { return s.read(nil) }
