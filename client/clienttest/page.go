package clienttest

import (
	"bytes"
	"html/template"
	"net/http"
)

const decisionAllow = "allow"

// page answers with a page for a person. It needs no script and no resource from
// elsewhere. There is no form-action in the policy, because browsers apply it to
// the redirect to the client as well.
func (c *call) page(status int, name string, data map[string]any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(c, err.Error(), http.StatusInternalServerError)
		return
	}
	c.header.Set("Content-Type", "text/html; charset=utf-8")
	c.header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	c.header.Set("Referrer-Policy", "no-referrer")
	c.header.Set("X-Content-Type-Options", "nosniff")
	c.header.Set("Cache-Control", "no-store")
	c.status = status
	c.body = b
}

// errorPage tells a person, instead of a client, that a request is refused.
func (c *call) errorPage(text string) {
	c.refuse("invalid_request")
	c.page(http.StatusBadRequest, "message", map[string]any{"Title": "This did not work", "Text": text})
}

func (c *call) messagePage(title, text string) {
	c.page(http.StatusOK, "message", map[string]any{"Title": title, "Text": text})
}

var pages = template.Must(template.New("pages").Parse(frame + loginPage + messagePage))

const frame = `{{define "head"}}<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>clienttest</title>
<style>
:root { color-scheme: light dark; --ground: #f2f0eb; --card: #fffdf9; --ink: #23211d; --soft: #6d6860; --line: #dcd7cc; --accent: #1f6f5c; }
@media (prefers-color-scheme: dark) { :root { --ground: #191816; --card: #24221f; --ink: #eeebe4; --soft: #a39d92; --line: #3a3732; --accent: #6fc3ad; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 24rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
h1 { margin: 0 0 .5rem; font-size: 1.35rem; line-height: 1.25; }
p { margin: 0 0 1.25rem; color: var(--soft); overflow-wrap: anywhere; }
b { color: var(--ink); }
fieldset { margin: 0 0 1.25rem; padding: 0; border: 0; }
legend { padding: 0; margin-bottom: .4rem; font-size: .875rem; color: var(--soft); }
label { display: flex; gap: .65rem; align-items: center; padding: .6rem .75rem; border: 1px solid var(--line); border-radius: 8px; cursor: pointer; }
label + label { margin-top: .4rem; }
label:has(:checked) { border-color: var(--accent); }
input[type=radio] { accent-color: var(--accent); }
input[type=text] { width: 100%; padding: .6rem .75rem; font: inherit; letter-spacing: .1em; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 8px; }
.row { display: flex; flex-direction: row-reverse; gap: .6rem; } /* the first button answers to Enter */
button { flex: 1; padding: .65rem; font: inherit; font-weight: 600; color: var(--ink); background: transparent; border: 1px solid var(--line); border-radius: 8px; cursor: pointer; }
button.allow { color: var(--card); background: var(--accent); border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
footer { margin-top: 1.25rem; font-size: .8rem; color: var(--soft); }
</style>
</head>
<body><main>{{end}}
{{define "foot"}}<footer>A test server. Nothing here is a real account.</footer></main></body>
</html>{{end}}
`

const loginPage = `{{define "login"}}{{template "head"}}<h1>Let {{.Client}} in?</h1>
<p>{{if .Scopes}}It asks for {{range $i, $s := .Scopes}}{{if $i}}, {{end}}<b>{{$s}}</b>{{end}}.{{else}}It asks for access in your name.{{end}}</p>
<form method="post" action="{{.Action}}">
{{with .Code}}<p>Go on only if your device shows <b>{{.}}</b>.</p>
{{end}}{{if .Handle}}<input type="hidden" name="{{.Field}}" value="{{.Handle}}">
{{else}}<fieldset><legend>The code on your device</legend><input type="text" name="{{.Field}}" aria-label="The code on your device" autocomplete="off" autocapitalize="characters" required autofocus></fieldset>
{{end}}<fieldset><legend>Log in as</legend>
{{range $i, $u := .Users}}<label><input type="radio" name="account" value="{{$u.Account}}"{{if not $i}} checked{{end}}>{{$u.Account}}</label>
{{end}}</fieldset>
<div class="row"><button class="allow" name="decision" value="allow">Allow</button><button name="decision" value="deny">Refuse</button></div>
</form>
{{template "foot"}}{{end}}
`

const messagePage = `{{define "message"}}{{template "head"}}<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{template "foot"}}{{end}}
`
