package transport

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"slices"
	"testing"
)

// RFC 5922 section 7.1.
func TestASubjectsNameCountsOnlyWhereThereAreNoOthers(t *testing.T) {
	named := func(cn string) x509.Certificate { return x509.Certificate{Subject: pkix.Name{CommonName: cn}} }
	bare, person, wild, other, address := named("PBX.example"), named("Bob of pbx.example"), named("*.example"), named("pbx.example"), named("pbx.example")
	other.DNSNames = []string{"other.example"}
	address.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)}
	for _, c := range []struct {
		of   x509.Certificate
		want []string
	}{{bare, []string{"pbx.example"}}, {person, nil}, {wild, nil}, {named("root"), nil}, {other, []string{"other.example"}}, {address, nil}} {
		if got := identities(&c.of); !slices.Equal(got, c.want) {
			t.Errorf("%s is %q, want %q", c.of.Subject.CommonName, got, c.want)
		}
	}
}
