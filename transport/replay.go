package transport

import (
	"io"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// maxDrain is how much of a refused response is read so that its connection
// can be used again.
const maxDrain = 64 << 10

// replay deals with refused, the 401 that req got when it was sent with sent.
// It returns what a second try gave, or refused as it is.
//
// It does not report why a token could not be renewed: a RoundTripper that has
// a response returns it, and the next request will get that error.
func (t *Transport) replay(req *http.Request, refused *http.Response, sent *oauth2.Token) (*http.Response, error) {
	source, ok := t.Source.(Refresher)
	if !ok || !blamesToken(refused) {
		return refused, nil
	}
	// Renewing comes before the question whether the body can be sent again:
	// if it cannot, the next request at least has a token that works.
	tok, err := source.Refresh(req.Context(), sent)
	if err != nil || tok == nil || tok.AccessToken == sent.AccessToken {
		return refused, nil
	}
	authorization, err := t.authorization(tok)
	if err != nil {
		return refused, nil
	}
	again, ok := rewind(req)
	if !ok {
		return refused, nil
	}
	if refused.Body != nil { // as in the tests of many programs (golang/go#38095)
		_, _ = io.CopyN(io.Discard, refused.Body, maxDrain)
		refused.Body.Close()
	}
	return t.send(again, authorization)
}

// rewind returns req with its body at the beginning, if it can be had again.
func rewind(req *http.Request) (*http.Request, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again := req.WithContext(req.Context())
	again.Body = body
	return again, true
}

// blamesToken reports whether a 401 may be cured by another token of the same
// grant. It is, unless the server says otherwise, in one of two ways:
//
// Some errors ask for what a renewal cannot give: other scopes, a better request
// (RFC 6750 section 3.1), a fresh login (RFC 9470), a nonce (RFC 9449), more claims
// (Microsoft Entra ID). Codes that nobody has registered say nothing: hydra means
// by request_unauthorized that a token has ended.
//
// Challenges for passwords and tickets alone come from a server, or a proxy
// before it, that does not take tokens; each renewal would be for nothing.
// Unknown schemes do not count as that: tokens have gone by OAuth, OAuth2 and
// Token as well (wso2/product-apim#9110, fuCtor/grape-doorkeeper#16).
func blamesToken(resp *http.Response) bool {
	challenges := Challenges(resp)
	blamed := len(challenges) == 0
	for _, c := range challenges {
		if c.wantsNoToken() {
			continue
		}
		switch c.Params["error"] {
		case "insufficient_scope", "invalid_request", "insufficient_user_authentication", "use_dpop_nonce", "invalid_dpop_proof", "insufficient_claims":
			return false
		}
		blamed = true
	}
	return blamed
}

func (c Challenge) wantsNoToken() bool {
	switch strings.ToLower(c.Scheme) {
	case "basic", "digest", "negotiate", "ntlm":
		return true
	}
	return false
}
