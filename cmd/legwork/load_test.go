package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"legwork/cmd/legwork/sipptest"
)

// phone is a SIPp callee that serves as the PBX of a deployment.
func phone(t *testing.T, scenario string) *sipptest.Process {
	t.Helper()
	return sipptest.Start(t, sipptest.Scenario{
		File: "testdata/sipp/" + scenario, Pause: 10 * time.Millisecond, Timeout: 2 * time.Minute,
		Args: []string{"-buff_size", "4194304"},
	})
}

func caller(r *running, scenario string, calls, rate int) sipptest.Scenario {
	return sipptest.Scenario{
		File: "testdata/sipp/" + scenario, Remote: r.udp, Service: "4711", Calls: calls, Rate: rate,
		Timeout: 2 * time.Minute, Args: []string{"-buff_size", "4194304"},
	}
}

// hangUpPhone lets SIPp's callee end and checks what it saw.
func hangUpPhone(t *testing.T, p *sipptest.Process) {
	t.Helper()
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	sipptest.Finish(t, p)
}

func TestTwoThousandCallsAtFourHundredASecond(t *testing.T) {
	pbx := phone(t, "uas.xml")
	r := serve(t, deployment(t, pbx.Local, ""))
	got := sipptest.Run(t, caller(r, "uac.xml", 2000, 400))
	if got.Successful != 2000 {
		t.Errorf("%+v", got)
	}
	hangUpPhone(t, pbx)
}

func TestReloadsUnderLoadFailNoCall(t *testing.T) {
	pbx := phone(t, "uas.xml")
	r := serve(t, deployment(t, pbx.Local, ""))
	load := sipptest.Start(t, caller(r, "uac.xml", 2000, 200))
	main := filepath.Join(r.dir, "main.lua")
	good, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		broken := i%2 == 1
		text := "-- " + strconv.Itoa(i) + "\n" + string(good)
		if broken {
			text += "this is not Lua\n"
		}
		write(t, main, text)
		got := run(t, r.dir, "reload", "-c", "legwork.yaml", "--admin", r.admin)
		if failed := got.code != 0; failed != broken {
			t.Fatalf("reload %d: exit %d: %s", i, got.code, got.err)
		}
		if broken && !strings.Contains(got.err, "main.lua:") {
			t.Fatalf("reload %d does not say where: %s", i, got.err)
		}
	}
	sipptest.Finish(t, load)
	hangUpPhone(t, pbx)
}
