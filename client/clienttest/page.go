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
	if data["Server"] = c.opts.Name; c.opts.Name == "" {
		data["Server"] = "clienttest"
	}
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(c, err.Error(), http.StatusInternalServerError)
		return
	}
	c.header.Set("Content-Type", "text/html; charset=utf-8")
	c.header.Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
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
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{{.Title}} · {{.Server}}</title>
<style>
:root { color-scheme: light dark; --ground: #f0f4f2; --card: #ffffff; --ink: #16201c; --soft: #55625c; --line: #d9e1dd; --accent: #146c54; --tint: #e3f1ec; }
@media (prefers-color-scheme: dark) { :root { --ground: #0e1412; --card: #161d1a; --ink: #eaf1ee; --soft: #9fb0a8; --line: #2b3631; --accent: #6fd0b2; --tint: #1c2e27; } }
* { box-sizing: border-box; margin: 0; }
body { min-height: 100vh; display: grid; place-items: center; padding: 1.25rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { width: 100%; max-width: 25rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 16px; overflow-wrap: anywhere; }
.server { display: flex; align-items: center; gap: .6rem; margin-bottom: 1.5rem; font-weight: 600; }
.server::before { content: ""; width: 1.6rem; height: 1.6rem; border-radius: 8px; background: linear-gradient(135deg, var(--accent) 50%, color-mix(in srgb, var(--accent) 60%, var(--card)) 50%); }
h1 { margin-bottom: .35rem; font-size: 1.5rem; font-weight: 650; line-height: 1.2; letter-spacing: -.02em; text-wrap: balance; }
p { margin-bottom: 1.25rem; color: var(--soft); }
p b { color: var(--ink); font-weight: 600; }
fieldset { margin-bottom: 1.25rem; padding: 0; border: 0; min-width: 0; }
legend { padding: 0; margin-bottom: .4rem; font-size: .875rem; color: var(--soft); }
label { display: flex; gap: .75rem; align-items: center; padding: .6rem .75rem; border: 1px solid var(--line); border-radius: 10px; cursor: pointer; }
label + label { margin-top: .4rem; }
label:has(:checked) { border-color: var(--accent); background: var(--tint); }
input[type=radio] { margin: 0; width: 1.1rem; height: 1.1rem; flex: none; accent-color: var(--accent); }
input[type=text] { width: 100%; padding: .6rem .75rem; font: inherit; letter-spacing: .1em; color: inherit; background: transparent; border: 1px solid var(--soft); border-radius: 10px; }
.row { display: flex; flex-direction: row-reverse; gap: .6rem; } /* the first button answers to Enter */
button { flex: 1; padding: .65rem; font: inherit; font-weight: 600; color: var(--ink); background: transparent; border: 1px solid var(--line); border-radius: 10px; cursor: pointer; }
button:hover { border-color: var(--soft); }
button.allow { color: var(--card); background: var(--accent); border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
footer { margin-top: 1.5rem; font-size: .8125rem; color: var(--soft); }
</style>
</head>
<body><main><div class="server">{{.Server}}</div>
{{end}}
{{define "foot"}}<footer>A test server. Nothing here is a real account.</footer></main></body>
</html>{{end}}
`

const loginPage = `{{define "login"}}{{template "head" .}}<h1>Let {{.Client}} in?</h1>
<p>{{if .Scopes}}It asks for {{range $i, $s := .Scopes}}{{if $i}}, {{end}}<b>{{$s}}</b>{{end}}.{{else}}It asks for access in your name.{{end}}</p>
<form method="post" action="{{.Action}}">
{{with .Code}}<p>Go on only if your device shows <b>{{.}}</b>.</p>
{{end}}{{if .Handle}}<input type="hidden" name="{{.Field}}" value="{{.Handle}}">
{{else}}<fieldset><legend>The code on your device</legend><input type="text" name="{{.Field}}" aria-label="The code on your device" autocomplete="off" autocapitalize="characters" required autofocus></fieldset>
{{end}}<fieldset><legend>Who are you?</legend>
{{range $i, $u := .Users}}<label><input type="radio" name="account" value="{{$u.Account}}"{{if not $i}} checked{{end}}>{{$u.Account}}</label>
{{end}}</fieldset>
<div class="row"><button class="allow" name="decision" value="allow">Allow</button><button name="decision" value="deny">Refuse</button></div>
</form>
{{template "foot"}}{{end}}
`

const messagePage = `{{define "message"}}{{template "head" .}}<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{template "foot"}}{{end}}
`
