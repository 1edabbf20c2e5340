package b2bua

import "testing"

func TestALegWithoutAWayHasNoRemote(t *testing.T) {
	if v := (&leg{}).view(); v.Remote != "" {
		t.Errorf("it is %q", v.Remote)
	}
}
