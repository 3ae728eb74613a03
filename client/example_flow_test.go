package client_test

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// demo starts a server for an example, and a program that is registered there.
func demo(o clienttest.Options) (*clienttest.Server, *client.Client) {
	as, err := clienttest.Start(o)
	if err != nil {
		panic(err)
	}
	c, err := client.New(as.Config())
	if err != nil {
		panic(err)
	}
	return as, c
}

// A program on the user's machine. Here the user is scripted; without Open, the
// user's own browser opens.
func ExampleBrowser() {
	as, c := demo(clienttest.Options{})
	defer as.Close()
	defer c.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // for the user
	defer cancel()
	me := c.Account("default")
	if err := me.Ensure(ctx, client.Browser{Open: as.Browser()}); err != nil {
		fmt.Println(err)
		return
	}
	resp, err := me.HTTPClient().Get(as.URL(clienttest.APIPath))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A program that shows the address as well, for users whose browser does not open.
func ExampleOpenBrowser() {
	as, c := demo(clienttest.Options{})
	defer as.Close()
	defer c.Close()

	err := c.Account("default").Ensure(context.Background(), client.Browser{Open: func(url string) error {
		fmt.Println("If no browser opens, go to", url)
		return client.OpenBrowser(url)
	}})
	fmt.Println(err)
}

// A program on a machine without a browser.
func ExampleDevice() {
	as, c := demo(clienttest.Options{InMemory: true, DeviceInterval: time.Second})
	defer as.Close()
	defer c.Close()
	approve := scriptedCode(as, "WDJB-MJHT")

	err := c.Account("default").Ensure(context.Background(), client.Device{Show: func(_ context.Context, p *oauth2.DeviceAuthResponse) error {
		fmt.Printf("To log in to example-tv, open %s and enter %s\n", p.VerificationURI, p.UserCode)
		return approve()
	}})
	fmt.Println("logged in:", err == nil)
	// Output:
	// To log in to example-tv, open https://as.example/device and enter WDJB-MJHT
	// logged in: true
}

// scriptedCode shows shown in place of each user code, and returns the user who
// enters the real one.
func scriptedCode(as *clienttest.Server, shown string) (approve func() error) {
	issued := make(chan string, 1)
	as.Set(func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.Path == clienttest.DevicePath {
				issued <- answer["user_code"].(string)
				answer["user_code"] = shown
			}
		}
	})
	return func() error { return as.ApproveDevice(<-issued, "alice") }
}
