package script

import (
	"fmt"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/cucm"
)

// foreignMessage is a message that a CUCM script edits: what may be edited is
// what a script of ours may edit.
type foreignMessage struct {
	msg, saved *message.Message
	watched    bool // somebody wants to know who wrote what
	where      func() (file string, line int)
	written    []b2bua.Edit
}

// edit keeps how the message was: an error in the handler takes all edits back.
func (v *foreignMessage) edit() *message.Message {
	if v.saved == nil {
		v.saved = v.msg.Clone()
	}
	return v.msg
}

func (v *foreignMessage) restore() {
	if v.saved != nil {
		*v.msg = *v.saved
	}
}

// wrote notes an edit that was made.
func (v *foreignMessage) wrote(err error, op b2bua.Op, name, value string) error {
	if err == nil && v.watched && len(v.written) < maxTold {
		file, line := v.where()
		v.written = append(v.written, b2bua.Edit{Op: op, Name: name, Value: value, File: file, Line: line})
	}
	return err
}

// told passes on what was written.
func (v *foreignMessage) told(r *router, leg b2bua.Leg, hook string) {
	if len(v.written) > 0 {
		r.handle.Tell(b2bua.Event{
			Kind: b2bua.EventEdited, Hook: hook, Leg: leg, Edits: &b2bua.Edits{Into: v.msg, Before: v.saved, List: v.written},
		})
	}
}

func (v *foreignMessage) Read() *message.Message                  { return v.msg }
func (v *foreignMessage) At(where func() (file string, line int)) { v.where = where }

func (v *foreignMessage) SetHeader(name string, values ...string) error {
	if engineOwned(name) {
		return ownedBy(name)
	}
	_, had := v.msg.Lookup(name)
	err := setHeader(v.edit(), name, values...)
	if len(values) == 0 {
		if !had {
			return err
		}
		return v.wrote(err, b2bua.OpRemove, name, "")
	}
	for i, value := range values {
		op := b2bua.OpSet
		if i > 0 {
			op = b2bua.OpAdd
		}
		err = v.wrote(err, op, name, value)
	}
	return err
}

func (v *foreignMessage) AddHeader(name, value string) error {
	if engineOwned(name) {
		return ownedBy(name)
	}
	return v.wrote(addHeader(v.edit(), name, value), b2bua.OpAdd, name, value)
}

func ownedBy(name string) error {
	return fmt.Errorf("%s %w: each leg has its own", message.LongName(name), cucm.ErrOwned)
}

func (v *foreignMessage) SetURI(uri string) error {
	return v.wrote(setURI(v.edit(), uri), b2bua.OpSet, "uri", uri)
}

func (v *foreignMessage) SetStatus(code int, reason string) error {
	m := v.edit()
	if code != 0 {
		if err := setStatus(m, code, reason != ""); err != nil {
			return err
		}
	}
	var err error
	if reason != "" {
		err = setReason(m, reason)
	}
	return v.wrote(err, b2bua.OpSet, "status", statusOf(m))
}

func (v *foreignMessage) SetBody(body, contentType string) error {
	err := setBody(v.edit(), body)
	if err == nil && body != "" {
		err = setHeader(v.edit(), "Content-Type", contentType)
	}
	return v.wrote(err, b2bua.OpSet, "body", body)
}
