package main

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"legwork/b2bua/simnet"
	"legwork/cmd/legwork/sipptest"
)

const stormRate = 500 // handshakes a second

// storm does full handshakes with a server until stop is closed, each on a
// connection of its own.
func storm(at string, stop <-chan struct{}) (done, failed int64) {
	var good, bad atomic.Int64
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / stormRate)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			all.Wait()
			return good.Load(), bad.Load()
		case <-tick.C:
		}
		all.Go(func() {
			c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", at, &tls.Config{InsecureSkipVerify: true}) // only the work counts
			if err != nil {
				bad.Add(1)
				return
			}
			good.Add(1)
			_ = c.Close()
		})
	}
}

func TestAStormOfHandshakesFailsNoCallOverUDP(t *testing.T) {
	ca, err := simnet.NewAuthority("Test CA")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(simnet.Leaf{Names: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	pbx := phone(t, "uas.xml")
	dir := deployment(t, pbx.Local, "")
	write(t, filepath.Join(dir, "cert.pem"), string(cert))
	write(t, filepath.Join(dir, "key.pem"), string(key))
	yaml := filepath.Join(dir, "legwork.yaml")
	write(t, yaml, strings.Replace(read(t, yaml), "script: main.lua",
		`  - {name: tls, transport: tls, address: "127.0.0.1:0", cert: cert.pem, key: key.pem}`+"\nscript: main.lua", 1))
	r := serve(t, dir)
	at := r.waitFor(`msg=ready listen="[^"]*tls ([\d.:]+)`)[1]
	stop, over := make(chan struct{}), make(chan struct{})
	var done, failed int64
	began := time.Now()
	go func() {
		defer close(over)
		done, failed = storm(at, stop)
	}()
	got := sipptest.Run(t, caller(r, "uac.xml", 500, 100))
	close(stop)
	<-over
	t.Logf("%d handshakes in %s beside %+v", done, time.Since(began).Round(time.Millisecond), got)
	if got.Successful != 500 || done == 0 || failed > 0 {
		t.Errorf("%d handshakes failed; %+v", failed, got)
	}
	hangUpPhone(t, pbx)
}
