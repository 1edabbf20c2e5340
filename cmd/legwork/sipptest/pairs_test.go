package sipptest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// scenarios is where the scenario files are.
const scenarios = "../testdata/sipp"

func TestEachCallerUnderstandsItsCallee(t *testing.T) {
	refused := func(status string) map[string]string { return map[string]string{"STATUS": status} }
	for _, pair := range []struct {
		caller, callee       string
		callerSet, calleeSet map[string]string
	}{
		{caller: "uac", callee: "uas"},
		{caller: "uac", callee: "uas_header", calleeSet: map[string]string{"HEADER": "X-Legwork", "VALUE": "^ *caller$"}},
		{caller: "uac_cancel", callee: "uas_ringing"},
		{caller: "uac_refused", callerSet: refused("486"), callee: "uas_busy"},
		{caller: "uac_refused", callerSet: refused("503"), callee: "uas_503"},
		{caller: "uac_refused", callerSet: refused("404"), callee: "uas_refuse", calleeSet: refused("404")},
		{caller: "uac_ringing_refused", callerSet: refused("603"), callee: "uas_ringing_refuse", calleeSet: refused("603")},
		{caller: "uac_reinvite", callee: "uas_reinvite"},
		{caller: "uac_late_offer", callee: "uas_late_offer"},
		{caller: "uac_hungup", callee: "uas_bye"},
		{caller: "uac_info", callee: "uas_info"},
	} {
		t.Run(pair.caller+" "+pair.callee, func(t *testing.T) {
			t.Parallel()
			callee := Start(t, Scenario{File: file(pair.callee), Set: pair.calleeSet, Calls: 3, Pause: 10 * time.Millisecond})
			Run(t, Scenario{
				File: direct(t, pair.caller), Set: pair.callerSet, Remote: callee.Local,
				Service: "4930123", Calls: 3, Pause: 20 * time.Millisecond,
			})
			Finish(t, callee)
		})
	}
}

func TestWrongHeaderFailsTheCall(t *testing.T) {
	callee := Start(t, Scenario{
		File: file("uas_header"), Set: map[string]string{"HEADER": "X-Legwork", "VALUE": "^ *nobody$"}, Calls: 1,
	})
	Start(t, Scenario{File: direct(t, "uac"), Remote: callee.Local, Calls: 1})
	r, err := callee.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed != 1 || r.Clean() == nil {
		t.Errorf("got %+v, want one failed call", r)
	}
}

func TestUnexpectedAnswerFailsTheCall(t *testing.T) {
	callee := Start(t, Scenario{File: file("uas_busy"), Calls: 1, Timeout: 3 * time.Second})
	caller := Start(t, Scenario{File: direct(t, "uac"), Remote: callee.Local, Calls: 1})
	r, err := caller.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed != 1 || r.Unexpected != 1 || r.Clean() == nil {
		t.Errorf("got %+v, want one failed call for one unexpected message", r)
	}
}

func TestSilentCalleeTakesRepeats(t *testing.T) {
	callee := Start(t, Scenario{File: file("uas_silent"), Calls: 1, Pause: 1200 * time.Millisecond})
	Start(t, Scenario{File: direct(t, "uac"), Remote: callee.Local, Calls: 1})
	r, err := callee.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if r.Successful != 1 || r.Repeated == 0 || r.Unexpected != 0 {
		t.Errorf("got %+v, want one call that saw the INVITE again", r)
	}
}

func TestPlaceholderMustBeSet(t *testing.T) {
	_, err := fill(Scenario{File: file("uas_header"), Set: map[string]string{"HEADER": "X-Legwork"}, Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "@VALUE@") {
		t.Errorf("got %v, want an error that names @VALUE@", err)
	}
}

func file(name string) string { return filepath.Join(scenarios, name+".xml") }

// direct is a caller's scenario without the 100 Trying, which only something
// between caller and callee sends.
func direct(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(file(name))
	if err != nil {
		t.Fatal(err)
	}
	const trying = `  <recv response="100"/>` + "\n"
	if !strings.Contains(string(text), trying) {
		t.Fatalf("%s does not wait for 100", name)
	}
	path := filepath.Join(t.TempDir(), name+".xml")
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), trying, "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
