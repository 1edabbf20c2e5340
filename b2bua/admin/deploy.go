package admin

import (
	"context"
	"encoding/json"
	"net/http"
)

// deployPath alone takes a body worth the name.
const deployPath = "/api/v1/script/deploy"

// maxDeployment bounds it: scripts are bounded by package script, tables by this.
const maxDeployment = 128 << 20

// Deployment is the body of POST script/deploy: scripts that are to be live.
type Deployment struct {
	Files        map[string][]byte `json:"files"`                           // *.lua and *.csv by path, in base64
	Share        float64           `json:"share,omitempty"`                 // of new calls, between 0 and 1; 0: all of them, at once
	By           string            `json:"by,omitempty"`                    // caller or trunk
	MinCalls     int               `json:"min_calls,omitempty"`             // of each version, to judge; 0: 200
	PromoteAfter float64           `json:"promote_after_seconds,omitempty"` // 0: it is not promoted by itself
	Shadow       bool              `json:"shadow,omitempty"`                // asked beside the live version, and not obeyed
	ShadowFor    float64           `json:"shadow_for_seconds,omitempty"`    // 0: until somebody ends it
}

func (a *api) deploy(w http.ResponseWriter, r *http.Request) {
	var d Deployment
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		refuse(w, http.StatusBadRequest, "the body is no deployment: "+err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), reloadLimit)
	defer cancel()
	a.log.Info("deployment asked for", "by", "admin", "source", r.RemoteAddr)
	if err := a.Scripts.Deploy(ctx, d); err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	answer(w, http.StatusOK, a.Scripts.Status())
}

func (a *api) promote(w http.ResponseWriter, r *http.Request) { a.settle(w, r, a.Scripts.Promote) }

func (a *api) rollback(w http.ResponseWriter, r *http.Request) { a.settle(w, r, a.Scripts.Rollback) }

func (a *api) settle(w http.ResponseWriter, r *http.Request, how func() error) {
	a.log.Info("end of a canary or shadow asked for", "by", "admin", "source", r.RemoteAddr)
	if err := how(); err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	answer(w, http.StatusOK, a.Scripts.Status())
}
