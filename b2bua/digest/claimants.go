package digest

import (
	"slices"

	"legwork/b2bua/message"
)

// Claimants are the users whose name stands on credentials for realm, at most
// most: those that the look-up of Verify can be asked about. Nothing is proved.
func Claimants(req *message.Message, realm string, role Role, most int) []string {
	var users []string
	values := req.All(role.credentialsField())
	for _, value := range values[:min(len(values), mostValues)] {
		auths, _ := readAuths(value)
		for i := range auths {
			a := &auths[i]
			user := unescape(a.get("username"))
			if a.isDigest() && a.get("realm") == escape(realm) && user != "" && len(users) < most && !slices.Contains(users, user) {
				users = append(users, user)
			}
		}
	}
	return users
}
