package main

import (
	"reflect"
	"testing"

	"legwork/b2bua/trunk"
	"legwork/cmd/legwork/config"
)

func TestATrunksDialectReachesTheEngine(t *testing.T) {
	one, err := neighbour("carrier", &config.Trunk{
		Codecs: config.Codecs{Keep: []string{"PCMA"}, Drop: []string{"G729"}, Prefer: []string{"opus"}},
		Q850:   config.Q850{Add: true, Read: true, Causes: map[string]int{"486": 21}, Codes: map[string]int{"21": 486}},
		Numbers: &config.Numbers{
			Country: "DE", URI: config.NumberE164, From: config.NumberPlain, To: config.NumberNational, Identity: config.NumberKeep, UserPhone: true,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := trunk.Trunk{
		Codecs:  trunk.Codecs{Keep: []string{"PCMA"}, Drop: []string{"G729"}, Prefer: []string{"opus"}},
		Q850:    trunk.Q850{Add: true, Read: true, Causes: map[int]int{486: 21}, Codes: map[int]int{21: 486}},
		Numbers: trunk.Numbers{Country: "DE", URI: trunk.E164Number, From: trunk.PlainNumber, To: trunk.NationalNumber, UserPhone: true},
	}
	if !reflect.DeepEqual(one.Codecs, want.Codecs) || !reflect.DeepEqual(one.Q850, want.Q850) || one.Numbers != want.Numbers {
		t.Errorf("%+v %+v %+v", one.Codecs, one.Q850, one.Numbers)
	}
}
