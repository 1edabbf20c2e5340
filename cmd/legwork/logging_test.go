package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"legwork/cmd/legwork/config"
)

func TestTheLogMasksSecretsWhoeverWritesThem(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log, _ := newLog(&out, config.Log{Level: "info", Format: format})
		log.Info("to sip:bob:hunter2@h", "target", "sip:bob:hunter2@h", "err", errors.New("dial redis://u:hunter2@h: refused"))
		log.With("target", "sip:bob:hunter2@h").WithGroup("a").Info("x", "text", "Authorization: Digest response=\"hunter2\"")
		if text := out.String(); strings.Contains(text, "hunter2") || strings.Count(text, "***") != 5 {
			t.Errorf("%s: %s", format, text)
		}
	}
}
