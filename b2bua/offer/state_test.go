package offer

import (
	"errors"
	"testing"
)

// step is one message of a story and what Carry must say of it.
type step struct {
	m    Message
	from Side
	sdp  bool
	role Role
	err  error
}

func play(t *testing.T, s State, steps ...step) State {
	t.Helper()
	for i, st := range steps {
		before := s
		role, err := s.Carry(st.m, st.from, st.sdp)
		if role != st.role || !errors.Is(err, st.err) || (err == nil) != (st.err == nil) {
			t.Fatalf("step %d (message %d of side %d): role %d, error %v; want %d, %v", i, st.m, st.from, role, err, st.role, st.err)
		}
		if err != nil && s != before {
			t.Fatalf("step %d: the error moved the state from %+v to %+v", i, before, s)
		}
	}
	return s
}

const yes, no = true, false

func TestSixPatternsOfRFC6337EndStable(t *testing.T) {
	for name, steps := range map[string][]step{
		"offer in INVITE, answer in 2xx": {
			{INVITE, Remote, yes, Offer, nil},
			{Provisional, Local, yes, Preview, nil},
			{OK, Local, yes, Answer, nil},
			{ACK, Remote, no, None, nil},
		},
		"offer in 2xx, answer in ACK": {
			{INVITE, Remote, no, None, nil},
			{Provisional, Local, no, None, nil},
			{OK, Local, yes, Offer, nil},
			{ACK, Remote, yes, Answer, nil},
		},
		"offer in INVITE, answer in a reliable 1xx": {
			{INVITE, Local, yes, Offer, nil},
			{Reliable, Remote, yes, Answer, nil},
			{PRACK, Local, no, None, nil},
			{PRACKOK, Remote, no, None, nil},
			{OK, Remote, yes, Preview, nil},
		},
		"offer in a reliable 1xx, answer in PRACK": {
			{INVITE, Local, no, None, nil},
			{Reliable, Remote, yes, Offer, nil},
			{PRACK, Local, yes, Answer, nil},
			{OK, Remote, no, None, nil},
			{ACK, Local, no, None, nil},
		},
		"offer in PRACK, answer in its 2xx": {
			{INVITE, Local, yes, Offer, nil},
			{Reliable, Remote, yes, Answer, nil},
			{PRACK, Local, yes, Offer, nil},
			{PRACKOK, Remote, yes, Answer, nil},
		},
		"offer in UPDATE, answer in its 2xx": {
			{INVITE, Local, yes, Offer, nil},
			{Reliable, Remote, yes, Answer, nil},
			{UPDATE, Remote, yes, Offer, nil},
			{UPDATEOK, Local, yes, Answer, nil},
			{UPDATE, Remote, no, None, nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, State{}, steps...)
			if !s.Stable() || !s.Negotiated() || s.Offerer() != 0 {
				t.Errorf("not stable at the end: %+v", s)
			}
		})
	}
}

func TestUPDATECrossingOurOfferIsPending(t *testing.T) {
	s := play(t, State{}, step{INVITE, Local, yes, Offer, nil})
	play(t, s, step{UPDATE, Remote, yes, None, ErrPending})
	play(t, s, step{UPDATE, Local, yes, None, ErrOwn})
}

func TestSecondOfferOfThePeerBeforeOurAnswerIsItsOwnFault(t *testing.T) {
	s := play(t, State{}, step{INVITE, Remote, yes, Offer, nil})
	play(t, s, step{UPDATE, Remote, yes, None, ErrOwn})
}

func TestWhoAskedForAnOfferMayNotOffer(t *testing.T) {
	s := play(t, State{}, step{INVITE, Remote, no, None, nil})
	if s.Stable() || s.Negotiated() {
		t.Errorf("an owed offer is no stable state: %+v", s)
	}
	play(t, s, step{UPDATE, Remote, yes, None, ErrOwn})
	play(t, s, step{INVITE, Remote, no, None, ErrOwn})
	if err := s.MayOffer(Local); err != nil {
		t.Errorf("the side that owes the offer may not make it: %v", err)
	}
}

func TestOKWaitsForThePRACKThatAnswersIt(t *testing.T) {
	s := play(t, State{},
		step{INVITE, Remote, no, None, nil},
		step{Reliable, Local, yes, Offer, nil})
	play(t, s, step{OK, Local, no, None, ErrOwn})
	play(t, s,
		step{PRACK, Remote, yes, Answer, nil},
		step{OK, Local, no, None, nil})
}

func TestOKDoesNotWaitForAnUPDATE(t *testing.T) {
	play(t, State{},
		step{INVITE, Local, yes, Offer, nil},
		step{Reliable, Remote, yes, Answer, nil},
		step{UPDATE, Remote, yes, Offer, nil},
		step{OK, Remote, no, None, nil})
}

func TestMessageWithoutTheSDPItOwesIsRefused(t *testing.T) {
	for name, steps := range map[string][]step{
		"2xx owes the answer": {{INVITE, Local, yes, Offer, nil}, {OK, Remote, no, None, ErrNoAnswer}},
		"2xx owes the offer":  {{INVITE, Local, no, None, nil}, {OK, Remote, no, None, ErrNoAnswer}},
		"ACK": {
			{INVITE, Remote, no, None, nil},
			{OK, Local, yes, Offer, nil},
			{ACK, Remote, no, None, ErrNoAnswer},
		},
		"PRACK": {
			{INVITE, Remote, no, None, nil},
			{Reliable, Local, yes, Offer, nil},
			{PRACK, Remote, no, None, ErrNoAnswer},
		},
		"2xx to UPDATE": {{UPDATE, Local, yes, Offer, nil}, {UPDATEOK, Remote, no, None, ErrNoAnswer}},
	} {
		t.Run(name, func(t *testing.T) { play(t, State{}, steps...) })
	}
}

func TestAnswerComesOnlyInItsOwnMessage(t *testing.T) {
	// A 2xx to INVITE cannot answer the offer of an UPDATE that is still open.
	s := play(t, State{},
		step{INVITE, Local, yes, Offer, nil},
		step{Reliable, Remote, yes, Answer, nil},
		step{UPDATE, Local, yes, Offer, nil},
		step{OK, Remote, yes, Preview, nil},
		step{ACK, Local, yes, Preview, nil})
	if s.Stable() {
		t.Error("the offer of the UPDATE was closed by another message")
	}
}

func TestFailedReinviteLeavesWhatWasNegotiated(t *testing.T) {
	s := play(t, State{}, step{INVITE, Local, yes, Offer, nil}, step{OK, Remote, yes, Answer, nil})
	before := s
	for _, sdp := range []bool{yes, no} {
		if _, err := s.Carry(INVITE, Remote, sdp); err != nil {
			t.Fatal(err)
		}
		s.Fail(INVITE)
		if s != before {
			t.Errorf("after the failure %+v, before it %+v", s, before)
		}
	}
}

func TestFailureWithdrawsOnlyItsOwnOffer(t *testing.T) {
	s := play(t, State{}, step{UPDATE, Remote, yes, Offer, nil})
	s.Fail(INVITE)
	s.Fail(PRACK)
	if s.Offerer() != Remote {
		t.Fatal("the offer of the UPDATE went with another request's failure")
	}
	s.Fail(UPDATE)
	if !s.Stable() {
		t.Fatal("the offer of the failed UPDATE stayed")
	}
	s = play(t, State{}, step{INVITE, Remote, no, None, nil}, step{Reliable, Local, yes, Offer, nil})
	s.Fail(INVITE)
	if !s.Stable() {
		t.Error("the offer of a 1xx outlived its INVITE")
	}
}

func TestPlainOfferAndAnswerTakeTurns(t *testing.T) {
	var s State
	for _, st := range []struct {
		name string
		do   func() error
		want error
	}{
		{"answer to nothing", func() error { return s.Answer(Remote) }, ErrNoOffer},
		{"offer", func() error { return s.Offer(Local) }, nil},
		{"offer across", func() error { return s.Offer(Remote) }, ErrPending},
		{"offer again", func() error { return s.Offer(Local) }, ErrOwn},
		{"answer to oneself", func() error { return s.Answer(Local) }, ErrOwn},
		{"answer", func() error { return s.Answer(Remote) }, nil},
		{"offer back", func() error { return s.Offer(Remote) }, nil},
	} {
		if err := st.do(); !errors.Is(err, st.want) {
			t.Fatalf("%s: %v, want %v", st.name, err, st.want)
		}
	}
	s.Reject()
	if !s.Stable() || !s.Negotiated() {
		t.Errorf("after the rejection %+v", s)
	}
	if err := s.Offer(Local); err != nil {
		t.Fatal(err)
	}
	if role, err := s.Carry(OK, Remote, true); role != Answer || err != nil {
		t.Errorf("an offer whose message was not told is answered by any: %d, %v", role, err)
	}
}

func TestForkIsACopy(t *testing.T) {
	s := play(t, State{}, step{INVITE, Local, yes, Offer, nil})
	first, second := s, s
	play(t, first, step{Reliable, Remote, yes, Answer, nil})
	play(t, second, step{OK, Remote, yes, Answer, nil})
	if s.Stable() {
		t.Error("a fork's answer closed the offer of the others")
	}
}
