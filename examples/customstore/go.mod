module github.com/regrant/regrant/examples/customstore

go 1.26.0

replace github.com/regrant/regrant => ../..

require (
	github.com/regrant/regrant v0.0.0
	go.etcd.io/bbolt v1.5.0
	golang.org/x/oauth2 v0.37.0
)

require (
	github.com/coreos/go-oidc/v3 v3.21.0 // indirect
	github.com/go-jose/go-jose/v4 v4.1.9 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
