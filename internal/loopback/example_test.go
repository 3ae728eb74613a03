package loopback_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/regrant/regrant/internal/loopback"
)

func ExampleListen() {
	ctx := context.Background()
	r, err := loopback.Listen(ctx, "http://127.0.0.1/callback")
	if err != nil {
		fmt.Println(err)
		return
	}
	outcome := loopback.Failed
	defer func() { r.Close(outcome) }()

	// A user says yes to the authorization request, and the server redirects.
	go func() {
		resp, err := http.Get(r.RedirectURI() + "?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz")
		if err == nil {
			resp.Body.Close()
		}
	}()

	response, err := r.Wait(ctx, func(v url.Values) bool { return v.Get("state") == "xyz" })
	if err != nil {
		fmt.Println(err)
		return
	}
	outcome = loopback.SignedIn // once the code is exchanged
	fmt.Println(response.Get("code"))
	// Output: SplxlOBeZQQYbYS6WxSbIA
}
