package main

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"time"
)

//go:embed pages
var files embed.FS

// pages are the templates and what they refer to.
type pages struct {
	byName map[string]*template.Template
	began  time.Time
}

func loadPages() *pages {
	p := &pages{byName: map[string]*template.Template{}, began: time.Now()}
	base := template.Must(template.New("base.html").Funcs(template.FuncMap{
		"short": short,
		"args":  args,
		"since": func(now, t time.Time) string { return short(max(0, now.Sub(t))) },
		"clock": func(t time.Time) string { return t.UTC().Format("15:04:05") },
		"date":  func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 UTC") },
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}).ParseFS(files, "pages/base.html", "pages/parts.html"))
	for _, name := range []string{"welcome", "signed-out", "dashboard", "detail", "problem"} {
		p.byName[name] = template.Must(template.Must(base.Clone()).ParseFS(files, "pages/"+name+".html"))
	}
	return p
}

// show answers with a page.
func (p *pages) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	var b bytes.Buffer
	if err := p.byName[name].Execute(&b, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError) // a mistake in a template
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // if it does not arrive there is nobody to tell
	}
}

func (p *pages) style(w http.ResponseWriter, r *http.Request) {
	p.file(w, r, "style.css", "text/css; charset=utf-8")
}

func (p *pages) icon(w http.ResponseWriter, r *http.Request) {
	p.file(w, r, "icon.svg", "image/svg+xml")
}

func (p *pages) file(w http.ResponseWriter, r *http.Request, name, kind string) {
	data, err := fs.ReadFile(files, "pages/"+name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache") // to be asked for each time, and mostly not sent again
	http.ServeContent(w, r, name, p.began, bytes.NewReader(data))
}

// args gives a template several things by name.
func args(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}
