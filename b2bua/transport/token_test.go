package transport

import (
	"io"
	"testing"
)

func TestATokenLeadsBackToItsSocket(t *testing.T) {
	r := open(t, Config{})
	l := r.listen("udp")
	f := Flow{Listener: l, Remote: l.Local}
	if got, ok := r.Redeem(r.Token(f)); !ok || got != f {
		t.Errorf("%v %+v", ok, got)
	}
	for _, bad := range []string{"", "udp", "udp a b c d", "udp " + l.Local.String() + " nowhere  " + l.Name, "udp 192.0.2.1:1 192.0.2.2:2  " + l.Name} {
		if got, ok := r.Redeem(bad); ok {
			t.Errorf("%q leads to %+v", bad, got)
		}
	}
}

func TestATokenOfAConnectionEndsWithIt(t *testing.T) {
	r := open(t, Config{})
	l := r.listen("tcp")
	c := dialTCP(t, l)
	if _, err := io.WriteString(c, options(viaTCP, "1")); err != nil {
		t.Fatal(err)
	}
	f := r.next().f
	token := r.Token(f)
	if got, ok := r.Redeem(token); !ok || got != f {
		t.Errorf("%v %+v", ok, got)
	}
	other := open(t, Config{})
	if _, ok := other.Redeem(token); ok {
		t.Error("another process takes it")
	}
	if _, ok := r.Redeem(r.Token(Flow{Listener: l, Remote: f.Remote})); ok {
		t.Error("a flow without a connection has a token")
	}
	if r.Ended(token) {
		t.Error("it has not ended yet")
	}
	f.conn.close(ErrClosed)
	if _, ok := r.Redeem(token); ok || !r.Ended(token) {
		t.Error("a closed connection is led to")
	}
	for _, unknown := range []string{"", r.Token(Flow{Listener: r.listen("udp"), Remote: l.Local}), other.Token(f)} {
		if r.Ended(unknown) {
			t.Errorf("%q has ended", unknown)
		}
	}
}

func TestWhoWatchesAConnectionIsToldOfItsEndOnce(t *testing.T) {
	r := open(t, Config{})
	l := r.listen("tcp")
	if _, err := io.WriteString(dialTCP(t, l), options(viaTCP, "1")); err != nil {
		t.Fatal(err)
	}
	f := r.next().f
	told := 0
	tell := func() { told++ }
	f.Watch(tell)
	f.Watch(tell)()
	Flow{Listener: l, Remote: f.Remote}.Watch(tell)()
	if told != 0 {
		t.Fatal("told of an end that is to come")
	}
	f.conn.close(ErrClosed)
	f.conn.close(ErrClosed)
	if told != 1 {
		t.Errorf("told %d times; one watches, one does no more", told)
	}
	f.Watch(tell)()
	if told != 2 {
		t.Errorf("not told at once what is over")
	}
}
