package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// withNetHTTP mounts the site with the router of the standard library.
func withNetHTTP(s *site) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("GET /callback", s.callback)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("POST /disconnect", s.disconnect)
	mux.HandleFunc("GET /", s.page)
	return http.NewCrossOriginProtection().Handler(s.sessions.LoadAndSave(mux))
}

// withChi does so with chi.
func withChi(s *site) http.Handler {
	r := chi.NewRouter()
	r.Use(http.NewCrossOriginProtection().Handler, s.sessions.LoadAndSave)
	r.Post("/login", s.login)
	r.Get("/callback", s.callback)
	r.Post("/logout", s.logout)
	r.Post("/disconnect", s.disconnect)
	r.Get("/*", s.page)
	return r
}
