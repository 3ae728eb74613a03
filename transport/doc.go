// Package transport sends HTTP requests with an OAuth 2.0 access token.
//
// A [Transport] is an [http.RoundTripper]. It asks a [Source] for the current
// token and sends it as a bearer token (RFC 6750 section 2.1). It knows nothing
// of how tokens are obtained: an account of the client package is a Source, and
// [FromOAuth2] makes one of any oauth2.TokenSource.
//
//	api := &http.Client{Transport: &transport.Transport{Source: source}}
//	resp, err := api.Get("https://api.example.com/v1/things")
//
// # Where a token goes
//
// An origin is a scheme, a host and a port. A token goes to the origin of the
// request that the program made, and not to where a redirect leads from there:
// not to another host, a subdomain, another port or another scheme
// (golang/oauth2#500). A chain of redirects that has left that origin gets no
// token for the rest of its way, even if it comes back. A redirected request
// that may not have the token is sent without any Authorization header.
//
// Origins restricts a Transport to the origins it lists, and lets redirects
// between them keep the token. A request that the program itself makes to any
// other origin is an error, and is not sent.
//
// A token goes over https, or over http to a loopback address; never over http
// to anywhere else. Without a token nothing is sent.
//
// # After a 401
//
// If the Source is a [Refresher], a 401 makes the Transport renew the token and
// send the request once more (RFC 6750 section 3.1). It does so once per
// request, and the second answer reaches the caller, whatever it is. Where a
// token that was just issued is refused too, each request costs a renewal.
//
// The request is sent again only if its body can be had again: there is none,
// or GetBody is set, as [http.NewRequest] does for the readers of bytes and
// strings. Otherwise the caller gets the 401, and the next request the new
// token.
//
// A renewal can give neither more scopes nor a fresh login. A 401 with an error
// other than invalid_token is left alone, and so is one that asks for nothing
// but Basic, Digest, Negotiate or NTLM. [Challenges] reads what is asked for.
//
// # Around a Transport and below it
//
// Base should send one request for each one it gets. One that follows
// redirects by itself, such as a RoundTripper around an http.Client, takes the
// token wherever it goes. A logger below a Transport sees the token; one
// around it does not.
//
// oauth2.NewClient, and oauth2.ReuseTokenSource in general, keep a token until
// it expires, so that a token renewed after a 401 is not seen. A library that
// takes an http.Client or an oauth2.TokenSource should get the http.Client.
//
// A library that repeats failed requests also repeats those for which there
// was no token, for as long as it has patience. Tell it what is final. With
// go-retryablehttp:
//
//	retry.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
//		if errors.Is(err, client.ErrLoginRequired) {
//			return false, err
//		}
//		return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
//	}
package transport
