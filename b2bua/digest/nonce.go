package digest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// stamp is the inside of a nonce: the time of issue in nanoseconds, then random
// bytes. The order of stamps is their age.
type stamp [16]byte

func newStamp(issued time.Time, source func([]byte)) stamp {
	var s stamp
	random(s[8:], source)
	binary.BigEndian.PutUint64(s[:8], uint64(issued.UnixNano()))
	return s
}

func (s stamp) issued() int64 { return int64(binary.BigEndian.Uint64(s[:8])) }

// sealSize is what is left of the HMAC.
const sealSize = 16

// seal makes a nonce that holds for one role, realm and place. Nothing is
// remembered of it: challenging a stranger costs no memory.
func seal(secret []byte, s stamp, role Role, realm, place string) string {
	h := hmac.New(sha256.New, secret)
	h.Write(s[:])
	h.Write([]byte{byte(role), byte(len(place))}) // of an address
	h.Write([]byte(place))
	h.Write([]byte(realm))
	return base64.RawURLEncoding.EncodeToString(append(s[:], h.Sum(nil)[:sealSize]...))
}

// open reads a nonce; false when it is not one of ours for this role, realm and
// place.
func open(secret []byte, nonce string, role Role, realm, place string) (stamp, bool) {
	var s stamp
	if len(nonce) != base64.RawURLEncoding.EncodedLen(len(s)+sealSize) {
		return s, false
	}
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil {
		return s, false
	}
	copy(s[:], b)
	return s, hmac.Equal([]byte(nonce), []byte(seal(secret, s, role, realm, place)))
}
