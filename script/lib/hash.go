package lib

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"

	glua "github.com/yuin/gopher-lua"
)

// hashes give hexadecimal digits. md5 is here for digest authentication and
// old look-up services, not for keeping anything safe.
func hashes() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"md5": function("b2b.hash.md5", func(a args) int {
			sum := md5.Sum([]byte(a.text(1, "the text")))
			return a.giveText(hex.EncodeToString(sum[:]))
		}),
		"sha256": function("b2b.hash.sha256", func(a args) int {
			sum := sha256.Sum256([]byte(a.text(1, "the text")))
			return a.giveText(hex.EncodeToString(sum[:]))
		}),
		"crc32": function("b2b.hash.crc32", func(a args) int {
			return a.giveText(fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(a.text(1, "the text")))))
		}),
		"hmac": function("b2b.hash.hmac", func(a args) int {
			kind := map[string]func() hash.Hash{"sha256": sha256.New, "md5": md5.New}[a.optText(3, "the hash", "sha256")]
			if kind == nil {
				a.fail("the hash is \"sha256\" or \"md5\"")
			}
			m := hmac.New(kind, []byte(a.text(1, "the key")))
			m.Write([]byte(a.text(2, "the text")))
			return a.giveText(hex.EncodeToString(m.Sum(nil)))
		}),
	}
}
