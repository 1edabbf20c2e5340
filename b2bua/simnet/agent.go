package simnet

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
)

// Agent is a neighbour with a SIP stack of its own: transactions repeat and
// match as they should, and everything above them is up to who scripts it. All
// that reaches it is kept in order and taken with Next.
type Agent struct {
	Addr      netip.AddrPort
	Network   string // "udp", "tcp" or "tls"
	transport *transport.Transport
	layer     *transaction.Layer

	mu    sync.Mutex // guards all below
	heard *sync.Cond
	inbox []*Incoming
	hear  func(*Incoming)
	seq   int
}

// Incoming is one message that reached an agent.
type Incoming struct {
	*message.Message
	agent *Agent
	flow  transport.Flow
	tx    *transaction.Server // of a request
	tag   string              // our To tag in answers
	err   error               // of Failed: no message
}

// NewAgent opens a neighbour's socket at ip:port.
func NewAgent(n transport.Network, networkName, addr string) (*Agent, error) {
	return NewAgentAt(n, transport.ListenerConfig{Network: networkName, Address: addr})
}

// NewAgentAt opens a neighbour's socket, which may need more than an address.
func NewAgentAt(n transport.Network, c transport.ListenerConfig) (*Agent, error) {
	c.Name = "agent"
	a := &Agent{Network: c.Network}
	a.heard = sync.NewCond(&a.mu)
	a.layer = transaction.New(transaction.Config{Core: a, Send: func(f transport.Flow, b []byte, failed func(error)) {
		a.transport.Send(f, b, failed)
	}})
	a.transport = transport.New(transport.Config{Handler: a.layer.Receive, Refused: a.layer.Refused, Network: n})
	listeners, err := a.transport.Listen(c)
	if err != nil {
		a.Close()
		return nil, err
	}
	a.Addr = listeners[0].Local
	return a, nil
}

// Close ends the agent.
func (a *Agent) Close() {
	a.layer.Close()
	a.transport.Close()
}

// Hear gives f every message from now on instead of keeping it for Next. f runs
// in the socket's reader and may send.
func (a *Agent) Hear(f func(*Incoming)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hear = f
}

func (a *Agent) keep(in *Incoming) {
	in.agent = a
	a.mu.Lock()
	if hear := a.hear; hear != nil {
		a.mu.Unlock()
		hear(in)
		return
	}
	defer a.mu.Unlock()
	a.inbox = append(a.inbox, in)
	a.heard.Broadcast()
}

// Request keeps a request; INVITEs get their 100 at once.
func (a *Agent) Request(tx *transaction.Server, req *message.Message, f transport.Flow) {
	a.mu.Lock()
	a.seq++
	tag := "agent" + strconv.Itoa(a.seq)
	a.mu.Unlock()
	tx.SetToTag(tag)
	a.keep(&Incoming{Message: req, flow: f, tx: tx, tag: tag})
}

// Cancel answers the INVITE 487 and keeps the CANCEL.
func (a *Agent) Cancel(tx *transaction.Server, cancel *message.Message) {
	a.keep(&Incoming{Message: cancel, tx: tx})
}

// ACK keeps an ACK to a 2xx.
func (a *Agent) ACK(ack *message.Message, f transport.Flow) {
	a.keep(&Incoming{Message: ack, flow: f})
}

// Stray keeps a response that no transaction waits for.
func (a *Agent) Stray(res *message.Message, f transport.Flow) {
	a.keep(&Incoming{Message: res, flow: f})
}

// Response keeps a response to a request of the agent's.
func (a *Agent) Response(_ *transaction.Client, res *message.Message) {
	a.keep(&Incoming{Message: res})
}

// Failed keeps that a request got no answer, as a message with Status 408 and
// the error as reason.
func (a *Agent) Failed(_ *transaction.Client, err error) {
	a.keep(&Incoming{Message: &message.Message{Status: 408, Reason: err.Error()}, err: err})
}

// Next takes the oldest message for which one of wants is true, and waits for
// it up to limit. wants are methods ("BYE") or codes with the method they
// answer ("180", "200 BYE"); "200" alone answers INVITE. Others stay.
func (a *Agent) Next(limit time.Duration, wants ...string) (*Incoming, error) {
	late := false
	timer := time.AfterFunc(limit, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		late = true
		a.heard.Broadcast()
	})
	defer timer.Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		for i, in := range a.inbox {
			if in.is(wants) {
				a.inbox = append(a.inbox[:i:i], a.inbox[i+1:]...)
				return in, nil
			}
		}
		if late {
			return nil, fmt.Errorf("no %s within %s; there is: %s", strings.Join(wants, " or "), limit, a.waiting())
		}
		a.heard.Wait()
	}
}

// Waiting lists what has not been taken, for messages and leftovers.
func (a *Agent) Waiting() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting()
}

func (a *Agent) waiting() string {
	var list []string
	for _, in := range a.inbox {
		list = append(list, in.Name())
	}
	return strings.Join(list, ", ")
}

func (in *Incoming) is(wants []string) bool {
	name := in.Name()
	for _, w := range wants {
		if w == name || w+" INVITE" == name || w == "*" {
			return true
		}
	}
	return false
}

// Flow is where the message came from.
func (in *Incoming) Flow() transport.Flow { return in.flow }

// Reply answers a request of an agent's; edit (may be nil) sees the answer
// first. 101 and up get a To tag and, for a dialog, a Contact.
func (in *Incoming) Reply(code int, edit func(*message.Message)) *message.Message {
	res := in.Respond(code, "", in.tag)
	if code > 100 && code < 300 && in.Method != "BYE" {
		res.Set("Contact", in.agent.Contact())
		for _, rr := range in.All("Record-Route") {
			res.Add("Record-Route", rr)
		}
	}
	if edit != nil {
		edit(res)
	}
	in.tx.Respond(res)
	return res
}

// Again sends the last answer once more.
func (in *Incoming) Again() { in.tx.Again() }

// Contact is the agent's Contact value.
func (a *Agent) Contact() string {
	if a.Network != "udp" {
		return "<sip:" + a.Addr.String() + ";transport=" + a.Network + ">"
	}
	return "<sip:" + a.Addr.String() + ">"
}

// Invite builds an INVITE of the agent's to be sent with Send.
func (a *Agent) Invite(uri, body string) *message.Message {
	a.mu.Lock()
	a.seq++
	n := strconv.Itoa(a.seq)
	a.mu.Unlock()
	m := &message.Message{Method: "INVITE", URI: uri}
	m.Add("Max-Forwards", "70")
	m.Add("From", "<sip:alice@"+a.Addr.String()+">;tag=from"+n)
	m.Add("To", "<"+uri+">")
	m.Add("Call-ID", "call"+n+"@"+a.Addr.String())
	m.Add("CSeq", "1 INVITE")
	m.Add("Contact", a.Contact())
	if body != "" {
		m.Add("Content-Type", "application/sdp")
		m.Body = []byte(body)
	}
	return m
}

// Send sends a request to an address; its responses come with Next.
func (a *Agent) Send(req *message.Message, to string) (*transaction.Client, error) {
	f, err := a.flow(to)
	if err != nil {
		return nil, err
	}
	return a.layer.Request(req, f, a), nil
}

// SendACK sends an ACK to a 2xx.
func (a *Agent) SendACK(ack *message.Message, to string) (*transaction.Outgoing, error) {
	f, err := a.flow(to)
	if err != nil {
		return nil, err
	}
	return a.layer.ACK(ack, f), nil
}

// SendRaw sends bytes as they are.
func (a *Agent) SendRaw(b []byte, to string) error {
	f, err := a.flow(to)
	if err == nil {
		a.transport.Send(f, b, nil)
	}
	return err
}

func (a *Agent) flow(to string) (transport.Flow, error) {
	remote, err := netip.ParseAddrPort(to)
	if err != nil {
		return transport.Flow{}, err
	}
	return a.transport.Flow(transport.Hop{Network: a.Network, Remote: remote}, "agent")
}

// Dialog is the agent's dialog after a 2xx: of its own INVITE (sent, got) or of
// one that it answered (got, sent).
func (a *Agent) Dialog(request, response *message.Message, invited bool) *dialog.Dialog {
	cseq, _, _ := request.CSeq()
	from, to := request.Get("From"), response.Get("To")
	peer := response
	if invited {
		peer = request
	}
	contact := ""
	if c, ok := peer.Contact(); ok {
		contact = c.URI
	}
	if invited {
		id := dialog.ID{CallID: request.CallID(), Local: message.Tag(to), Remote: message.Tag(from)}
		return dialog.UAS(id, message.WithTag(to, ""), message.WithTag(from, ""), contact, request.List("Record-Route"), cseq)
	}
	id := dialog.ID{CallID: request.CallID(), Local: message.Tag(from), Remote: message.Tag(to)}
	return dialog.UAC(id, message.WithTag(from, ""), message.WithTag(to, ""), contact, response.List("Record-Route"), cseq)
}

// In builds a request in a dialog.
func (a *Agent) In(d *dialog.Dialog, method string, cseq uint32) *message.Message {
	uri, routes, _ := d.Path()
	m := &message.Message{Method: method, URI: uri}
	for _, r := range routes {
		m.Add("Route", r)
	}
	m.Add("Max-Forwards", "70")
	m.Add("From", message.WithTag(d.LocalURI, d.Local))
	m.Add("To", message.WithTag(d.RemoteURI, d.Remote))
	m.Add("Call-ID", d.CallID)
	m.Add("CSeq", strconv.FormatUint(uint64(cseq), 10)+" "+method)
	m.Add("Contact", a.Contact())
	return m
}

var _ transport.Network = (*Network)(nil)
