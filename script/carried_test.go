package script

import (
	"testing"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/cucm"
)

func TestWhatIsPassedThroughAndNeverSentIsBounded(t *testing.T) {
	c := &carried{contexts: map[int]*cucm.Context{}}
	for range 10 * maxCarried { // INFOs that nothing comes of
		c.keep(b2bua.Leg{}, &message.Message{Method: "INFO", URI: "sip:b@b.example"}, cucm.Outcome{Pass: &cucm.PassThrough{}}, "")
	}
	if len(c.passes) != maxCarried {
		t.Errorf("%d are kept", len(c.passes))
	}
}
