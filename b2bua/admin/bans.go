package admin

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"legwork/b2bua/door"
)

// BanList is the answer of GET bans, the newest first.
type BanList struct {
	Bans []Ban `json:"bans"`
}

// Ban is a source that is shut out.
type Ban struct {
	Source   string    `json:"source"` // an IPv4 address, or an IPv6 network
	Reason   string    `json:"reason"` // unknown credentials malformed scanner challenged
	Proven   bool      `json:"proven"` // false: its address may have been forged, and only datagrams are dropped
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Messages uint64    `json:"messages"` // dropped since
}

func banOf(b door.Ban) Ban {
	return Ban{b.Where(), b.Reason.String(), b.Proven, b.Since, b.Until, b.Messages}
}

func (a *api) bans(w http.ResponseWriter, _ *http.Request) {
	list := BanList{Bans: []Ban{}}
	for _, b := range a.Engine.Bans() {
		list.Bans = append(list.Bans, banOf(b))
	}
	answer(w, http.StatusOK, list)
}

// unban takes an address.
func (a *api) unban(w http.ResponseWriter, r *http.Request) {
	text := r.PathValue("source")
	source, err := netip.ParseAddr(strings.Trim(text, "[]"))
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "the source is an IP address")
	case !a.Engine.Unban(source.Unmap().WithZone(""), "admin"):
		refuse(w, http.StatusNotFound, source.String()+" is not banned")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
