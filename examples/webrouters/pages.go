package main

import "html/template"

var pages = template.Must(template.New("").Parse(`
{{define "visitor"}}<!doctype html><html lang="en"><title>Sign in</title>
<h1>Nobody is signed in</h1>
<form method="post" action="/login"><input type="hidden" name="return" value="{{.}}"><button>Sign in</button></form>
{{end}}
{{define "user"}}<!doctype html><html lang="en"><title>Signed in</title>
<h1>Hello, {{.Name}}</h1>
<p>{{if .Works}}The site can work for you.{{else}}The site cannot work for you: sign in again.{{end}}</p>
<form method="post" action="/logout"><button>Sign out</button></form>
<form method="post" action="/disconnect"><button>Sign out, and end what the site may do</button></form>
{{end}}
{{define "failure"}}<!doctype html><html lang="en"><title>Not signed in</title>
<h1>Not signed in</h1><p>{{.}}</p><p><a href="/">Back</a></p>
{{end}}`))
