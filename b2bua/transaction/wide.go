package transaction

import "legwork/b2bua/transport"

// longest is how long a request over UDP may be while nobody knows the path's
// MTU (RFC 3261 section 18.1.1).
const longest = 1300

// widen moves a request that is too long for UDP to TCP, before it is sent.
func (c *Client) widen() {
	if c.flow.Stream() || len(c.sent) <= longest || c.layer.config.Wide == nil {
		return
	}
	if wide, ok := c.layer.config.Wide(c.flow); ok {
		c.wide.Store(&wide)
		c.sent = c.req.BytesVia(via(wide, c.branch))
	}
}

// over is the flow that the request went.
func (c *Client) over() transport.Flow {
	if wide := c.wide.Load(); wide != nil {
		return *wide
	}
	return c.flow
}

// narrow sends over UDP what could not leave over TCP; false when that is not
// why.
func (c *Client) narrow() bool {
	c.mu.Lock()
	if c.wide.Load() == nil || c.state != trying {
		c.mu.Unlock()
		return false
	}
	c.wide.Store(nil)
	c.sent = c.req.BytesVia(via(c.flow, c.branch))
	c.layer.queues.retransmit(&c.again, c.pause)
	sent := c.sent
	c.mu.Unlock()
	c.show(sent)
	c.layer.config.Send(c.flow, sent, c.undelivered)
	return true
}
