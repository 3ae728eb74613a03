package filestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/regrant/regrant/tokenstore"
)

// A file is what a record file holds:
//
//	regrant-filestore 1 <SHA-256 of all that follows, in hexadecimal>
//	{"issuer":...,"client_id":...,"account":...,"version":...}
//	<the data as it is>
//
// The sum tells a damaged file, which the seal of the data would not: a damaged
// version or key is outside of the seal.
type file struct {
	key     tokenstore.Key
	version tokenstore.Version
	data    []byte
}

type header struct {
	Issuer   string             `json:"issuer"`
	ClientID string             `json:"client_id"`
	Account  string             `json:"account"`
	Version  tokenstore.Version `json:"version"`
}

const (
	magic  = "regrant-filestore "
	format = "1"
)

// maxFile bounds what is read into memory: a record of 1 MiB, and a key of any
// sensible length.
const maxFile = 2 << 20

func (f file) encode() ([]byte, error) {
	head, err := json.Marshal(header{f.key.Issuer, f.key.ClientID, f.key.Account, f.version})
	if err != nil {
		return nil, fmt.Errorf("filestore: the key cannot be written: %w", err)
	}
	body := append(append(head, '\n'), f.data...)
	sum := sha256.Sum256(body)
	content := append([]byte(magic+format+" "+hex.EncodeToString(sum[:])+"\n"), body...)
	if len(content) > maxFile {
		return nil, fmt.Errorf("filestore: a record of %d bytes is too large: 1 MiB is the limit", len(f.data))
	}
	return content, nil
}

// decode returns what the content of a file says. With an error it returns the
// key if that can still be told, and nothing else.
func decode(content []byte, more bool) (file, error) {
	first, body, _ := bytes.Cut(content, []byte("\n"))
	line, isOurs := strings.CutPrefix(string(first), magic)
	found, sum, _ := strings.Cut(line, " ")
	switch {
	case len(content) == 0:
		return file{}, errors.New("it is empty")
	case !isOurs:
		return file{}, errors.New("it is not a file of this store, or its beginning is lost")
	case found != format:
		return file{}, fmt.Errorf("it has format %.20q, and this version reads format %s: update the program", found, format)
	}
	head, data, _ := bytes.Cut(body, []byte("\n"))
	var h header
	if err := json.Unmarshal(head, &h); err != nil {
		h = header{}
	}
	key := tokenstore.Key{Issuer: h.Issuer, ClientID: h.ClientID, Account: h.Account}
	if actual := sha256.Sum256(body); more || sum != hex.EncodeToString(actual[:]) {
		return file{key: key}, errors.New("it is damaged or cut short: its checksum does not match")
	}
	if h.Version == "" {
		return file{key: key}, errors.New("it is damaged: it has no version")
	}
	return file{key: key, version: h.Version, data: data}, nil
}

// contentVersion is the version of what cannot be decoded.
func contentVersion(content []byte) tokenstore.Version {
	sum := sha256.Sum256(content)
	return tokenstore.Version("unreadable-" + hex.EncodeToString(sum[:]))
}
