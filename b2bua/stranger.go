package b2bua

import (
	"bytes"
	"net/netip"
	"strings"

	"legwork/b2bua/digest"
	"legwork/b2bua/door"
	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// The door knows no SIP: here it is told who fails and who has proved himself.

func (s *Server) newDoor() *door.Door {
	return door.New(door.Config{Neighbour: s.isNeighbour, Vouched: s.vouched, Banned: s.banned})
}

// keepsOut is asked by the transport before anything is read.
func (s *Server) keepsOut(l *transport.Listener, source netip.Addr, b []byte) bool {
	return s.door.Refuses(door.Knock{Source: source, Listener: l.Name, Stream: l.Stream(), Message: b})
}

// isNeighbour tells addresses that are never banned: those of trunks, and those
// that we have registered with.
func (s *Server) isNeighbour(k door.Knock) bool {
	trunks := s.settings().Trunks
	t, _ := trunks.Match(k.Source)
	return t != nil || trunks.MatchListener(k.Listener) != nil || s.upstreams.met(k.Source)
}

// met tells whether we have sent a REGISTER there.
func (u *upstreams) met(a netip.Addr) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, one := range u.byTrunk {
		if one.met[a.Unmap()] {
			return true
		}
	}
	return false
}

// vouched tells whether a datagram carries a nonce that was sent to its source:
// it is from there then, and worth reading whatever is said about that source.
func (s *Server) vouched(source netip.Addr, b []byte) bool {
	const most = 4 // credentials
	for range most {
		_, after, found := bytes.Cut(b, []byte(`nonce="`))
		if !found {
			return false
		}
		nonce, rest, _ := bytes.Cut(after, []byte(`"`))
		if s.digest.Load().At(placeAt(source)).Gave(string(nonce), s.settings().Realm) {
			return true
		}
		b = rest
	}
	return false
}

// placeOf is where the nonces are good that are sent over a flow: who has
// connected is there, of a datagram only the answer to a challenge shows it.
func placeOf(f transport.Flow) string {
	if f.Stream() {
		return ""
	}
	return placeAt(f.Remote.Addr())
}

// placeAt names an address, of IPv6 its network, within which addresses change.
func placeAt(a netip.Addr) string {
	b := a.Unmap().AsSlice()
	return string(b[:min(len(b), 8)])
}

// note tells the door what the credentials of a request have shown. A wrong
// answer is its sender's: the nonce in it was sent to his address.
func (s *Server) note(req *message.Message, f transport.Flow, t *trunk.Trunk, p proof) {
	switch p.outcome {
	case digest.OK:
		s.door.Proved(f.Remote.Addr(), p.user)
	case digest.Wrong:
		if p.claimed != "" {
			s.door.Guessed(p.claimed)
		}
		s.blame(req, f, t, door.Credentials, p.claimed != "")
	case digest.Malformed, digest.OtherURI:
		s.blame(req, f, t, door.Credentials, false)
	}
}

// blame tells the door that somebody who is no neighbour did something wrong: who
// has that address, if that is proven or the message shows it.
func (s *Server) blame(m *message.Message, f transport.Flow, t *trunk.Trunk, why door.Reason, proven bool) {
	if t == nil && !s.isNeighbour(door.Knock{Source: f.Remote.Addr(), Listener: f.Listener.Name}) {
		s.door.Failed(f.Remote.Addr(), why, proven || f.Stream() || m != nil && s.vouched(f.Remote.Addr(), m.Raw))
	}
}

// malformedBy counts what can't be read. A bad response is a callee's fault.
func (s *Server) malformedBy(why *message.Malformed, f transport.Flow) {
	s.malformed.Add(1)
	m := why.Partial
	if m != nil && !m.IsRequest() {
		return
	}
	t, _ := s.settings().neighbour(f)
	s.blame(m, f, t, door.Malformed, false)
}

// scanners are the User-Agents of programs that look for what can be abused.
var scanners = [...]string{
	"friendly-scanner", "friendly-request", "sipvicious", "sundayddr", "sip-scan", "sipscan", "sipcli", "iwar", "pplsip", "smap",
}

func isScanner(req *message.Message) bool {
	agent := strings.ToLower(req.Get("User-Agent"))
	for _, name := range scanners {
		if strings.HasPrefix(agent, name) {
			return true
		}
	}
	return false
}

// leaveOutside takes the requests of strangers that get no answer, not even a
// refusal: what scanners send, and more a second than a source may. The rest are
// counted against him and refused.
func (s *Server) leaveOutside(in *admitted, set *Settings) bool {
	why := refusedSource
	switch {
	case in.trunk != nil || in.proof.outcome == digest.OK:
		return false
	case isScanner(in.req):
		s.blame(in.req, in.flow, nil, door.Scanner, false)
	case set.UnknownSources == AllowUnknown:
		return false
	case !s.others.pass(in.flow.Remote.Addr(), &Limits{PerSourceCPS: set.Limits.PerSourceCPS}):
		why = refusedCPS
	case set.UnknownSources == DropUnknown && in.proof.outcome == digest.Absent:
		s.blame(in.req, in.flow, nil, door.Unknown, false)
	default:
		return false
	}
	s.refused[why].Add(1)
	in.tx.Drop()
	return true
}

// turnAway answers a source of no trunk that is no user either, once and without
// a transaction: 403, or a challenge where users are configured. It tells him
// nothing: not who we are, nor whether a user or a number exists.
func (s *Server) turnAway(in *admitted, set *Settings) {
	code, headers := s.inspect(in.req)
	why, fault := refusedSource, door.Unknown
	if set.Users != nil {
		fault = door.Challenged
	}
	switch {
	case code != 0:
		why = reasonOf(code)
	case set.Users == nil || in.req.Method == "CANCEL":
		code = 403
	default:
		why = reasonOfProof(in.proof)
		code, headers = s.refusal(in.flow, set.Realm, in.proof)
	}
	s.refused[why].Add(1)
	switch in.proof.outcome {
	case digest.Wrong, digest.Malformed, digest.OtherURI: // note has told of them
	default:
		s.blame(in.req, in.flow, nil, fault, false)
	}
	s.strangers.Do(func() { // a flood of them must not become one of lines
		s.log.Info("request of an unknown source", "method", in.req.Method, "source", in.flow.Remote.String(), "code", code)
	})
	in.tx.Refuse(code, headers...)
}

// unheardOf answers a request in a dialog that there is not. Strangers get that
// without our name, and only so many a second.
func (s *Server) unheardOf(tx *transaction.Server, req *message.Message, f transport.Flow) {
	set := s.settings()
	t, _ := set.neighbour(f)
	switch {
	case t != nil || set.UnknownSources == AllowUnknown:
		s.refuse(tx, req, refusedDialog, 481)
	case s.others.pass(f.Remote.Addr(), &Limits{PerSourceCPS: set.Limits.PerSourceCPS}):
		s.refused[refusedDialog].Add(1)
		tx.Refuse(481)
	default:
		s.refused[refusedCPS].Add(1)
		tx.Drop()
	}
}

// banned tells of a new ban. Forged sources can make many.
func (s *Server) banned(b door.Ban) {
	s.bansTold.Do(func() {
		s.log.Warn("source banned", "source", b.Where(), "reason", b.Reason.String(), "until", b.Until)
	})
	s.reportBan(SourceBanned, b.Where(), "banned: "+b.Reason.String())
}

// Bans lists the sources that are shut out, the newest first.
func (s *Server) Bans() []door.Ban { return s.door.Bans() }

// Unban lets a source in again; false when it is not banned.
func (s *Server) Unban(source netip.Addr, by string) bool {
	if !s.door.Lift(source) {
		return false
	}
	s.log.Info("source is no longer banned", "source", source.String(), "by", by)
	s.reportBan(SourceUnbanned, source.String(), "unbanned by "+by)
	return true
}

// Door counts who was left outside.
func (s *Server) Door() door.Counters { return s.door.Counters() }
