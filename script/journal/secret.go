package journal

import "legwork/script/lib"

// Hidden is what was asked for, without the secrets in it.
func Hidden(key string) string { return lib.WithoutSecrets(key, "***") }

// hide takes the secrets out of what a call has met, as far as they are called
// so: scripts look up passwords.
func (m *Met) hide() {
	m.Body, m.Value = lib.Conceal(m.Kind, m.Key, m.Body), lib.Conceal(m.Kind, m.Key, m.Value)
	m.Key = Hidden(m.Key)
}
