package loopback

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"net/http"
	"strconv"
)

// An Outcome is how the login ended, as far as the user is concerned.
type Outcome int

const (
	Failed   Outcome = iota // the program knows why
	Refused                 // the user, or the server, said no
	SignedIn                // the grant is obtained
)

// A page tells a person what happened, and what to do now. It holds nothing of
// the request.
type page struct{ Kind, Title, Text, Next string }

func (o Outcome) page() page {
	const next = "You can close this window and go back to the program."
	switch o {
	case SignedIn:
		return page{"good", "You are signed in", "", next}
	case Refused:
		return page{"calm", "Sign-in refused", "Access was not granted.", next}
	default:
		return page{"bad", "Sign-in failed", "The program can tell you why.", next}
	}
}

// foreign answers a callback that belongs to another login, or to none.
func foreign() page {
	return page{
		"calm", "Unexpected sign-in",
		"The program is not waiting for this sign-in.", "Go back to it, and use the page that it opened.",
	}
}

var (
	//go:embed page.css
	style string
	//go:embed page.html
	layout string

	layoutTemplate = template.Must(template.New("page").Parse(layout))
	policy         = contentSecurityPolicy(style)
)

func contentSecurityPolicy(style string) string {
	sum := sha256.Sum256([]byte(style))
	// The data: URL is that of the empty icon, which keeps browsers from asking
	// for one.
	return "default-src 'none'; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// protect makes an answer fit to follow a URL with an authorization code in it:
// nobody learns that URL, and nothing but our own style applies (RFC 9700
// section 4.2.4).
func protect(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

// show answers with a page.
func show(w http.ResponseWriter, status int, p page) {
	var body bytes.Buffer
	data := struct {
		page
		Style template.CSS
	}{p, template.CSS(style)}
	if err := layoutTemplate.Execute(&body, data); err != nil {
		refuse(w, http.StatusInternalServerError)
		return
	}
	respond(w, status, "text/html; charset=utf-8", body.String())
}

// refuse answers those who are no person in front of a browser.
func refuse(w http.ResponseWriter, status int) {
	respond(w, status, "text/plain; charset=utf-8", http.StatusText(status)+"\n")
}

func respond(w http.ResponseWriter, status int, contentType, body string) {
	protect(w.Header())
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	io.WriteString(w, body) // if it does not arrive there is nobody to tell
}
