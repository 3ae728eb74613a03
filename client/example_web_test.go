package client_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// A web program lets its users connect their accounts elsewhere, and disconnect
// them. Who the user is comes from the program's own session; here it is always
// user-7. examples/webrouters signs users in, with net/http and with chi.
func ExampleClient_BeginLogin() {
	as, err := clienttest.Start(clienttest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer as.Close()
	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	defer app.Close()

	cfg := as.ConfidentialConfig() // a program names its Issuer, ClientID, Auth, Store and Sealer
	cfg.RedirectURL = app.URL + "/connected"
	c, err := client.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	session := func(*http.Request) (user string) { return "user-7" }

	failed := func(w http.ResponseWriter, err error) {
		switch e, _ := errors.AsType[*client.Error](err); {
		case errors.Is(err, client.ErrStaleLogin), errors.Is(err, client.ErrAccountChanged):
			http.Error(w, "This took too long, or was begun elsewhere. Please try again.", http.StatusBadRequest)
		case e.Code == "access_denied":
			http.Error(w, "You have refused, and nothing was connected.", http.StatusOK)
		default:
			log.Print(err)
			http.Error(w, "This does not work at the moment.", http.StatusBadGateway)
		}
	}
	mux.HandleFunc("POST /connect", func(w http.ResponseWriter, r *http.Request) {
		// The path may come from whoever made the link: it cannot lead to another site.
		if err := c.BeginLogin(w, r, session(r), client.AuthRequest{ReturnTo: r.FormValue("return")}); err != nil {
			failed(w, err)
		}
	})
	mux.HandleFunc("GET /connected", func(w http.ResponseWriter, r *http.Request) {
		_, err := c.FinishLogin(w, r, session(r))
		if errors.Is(err, client.ErrConsentRequired) {
			err = c.BeginLogin(w, r, session(r), client.AuthRequest{Params: url.Values{"prompt": {"consent"}}, ReturnTo: c.ReturnTo(r)})
		} else if err == nil {
			http.Redirect(w, r, c.ReturnTo(r), http.StatusSeeOther)
		}
		if err != nil {
			failed(w, err)
		}
	})
	mux.HandleFunc("POST /disconnect", func(w http.ResponseWriter, r *http.Request) {
		if _, err := c.Account(session(r)).Logout(r.Context()); err != nil {
			log.Print(err) // if its Op is logout, the grant is forgotten here all the same
		}
		http.Redirect(w, r, "/settings", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /settings", func(w http.ResponseWriter, r *http.Request) {
		_, err := c.Account(session(r)).Token(r.Context())
		fmt.Fprintln(w, "connected:", err == nil)
	})
	app.Config.Handler = http.NewCrossOriginProtection().Handler(mux) // a foreign page cannot begin a login, nor end one

	alice := as.UserAgent("alice")
	for _, form := range []string{"/connect?return=/settings", "/disconnect"} {
		resp, err := alice.Post(app.URL+form, "", nil)
		if err != nil {
			log.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		fmt.Printf("%s %s", resp.Status, page)
	}
	// Output:
	// 200 OK connected: true
	// 200 OK connected: false
}
