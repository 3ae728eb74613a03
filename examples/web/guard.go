package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxBody bounds a form.
const maxBody = 64 << 10

// guard stands before every handler.
func (a *app) guard(next http.Handler) http.Handler {
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.problem(w, r, problem{Status: http.StatusForbidden, Title: "This did not come from here", Text: "Another site has sent this request in your name. Nothing was changed."})
	}))
	policy := a.policy()
	next = http.MaxBytesHandler(csrf.Handler(next), maxBody)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Referrer-Policy", "same-origin") // no-referrer would take the Origin from our own forms
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store") // no grant is to be seen in the history once it is over
		if a.base.Scheme == "https" {
			h.Set("Strict-Transport-Security", "max-age=63072000")
		}
		// Under another name (localhost, or one that somebody points here) there are
		// no cookies, and logins would come to nothing.
		if r.Host != a.base.Host {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				http.Error(w, "This is not "+a.base.Host, http.StatusMisdirectedRequest)
				return
			}
			http.Redirect(w, r, a.base.String(), http.StatusTemporaryRedirect)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// policy lets pages load our own style and icon, and run nothing. Browsers apply
// form-action to the redirect that follows a form as well, so that of a login
// names the servers.
func (a *app) policy() string {
	targets := []string{"'self'"}
	for _, s := range a.services {
		if u, err := url.Parse(s.issuer); err == nil {
			targets = append(targets, u.Scheme+"://"+u.Host)
			if u.Scheme == "https" { // the endpoints may be elsewhere, and send the user on
				targets = append(targets, "https:")
			}
		}
	}
	slices.Sort(targets)
	return "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action " +
		strings.Join(slices.Compact(targets), " ")
}
