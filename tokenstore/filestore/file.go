package filestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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
	if !utf8.ValidString(f.key.String()) {
		return nil, errors.New("filestore: the key is not UTF-8")
	}
	head, err := json.Marshal(header{f.key.Issuer, f.key.ClientID, f.key.Account, f.version})
	if err != nil {
		return nil, fmt.Errorf("filestore: the key cannot be written: %w", err)
	}
	body := slices.Concat(head, []byte("\n"), f.data)
	content := slices.Concat([]byte(magic+format+" "+sum(body)+"\n"), body)
	if len(content) > maxFile {
		return nil, fmt.Errorf("filestore: a record of %d bytes is too large: 1 MiB is the limit", len(f.data))
	}
	return content, nil
}

// advice is what can be done about a file that is lost.
const advice = ": restore it from a backup, or delete it and log in again"

// decode returns what the content of a file says, of which there may be more
// than was read. With an error it returns the key if that can still be told, and
// nothing else.
func decode(content []byte, more bool) (file, error) {
	first, body, _ := bytes.Cut(content, []byte("\n"))
	line, isOurs := strings.CutPrefix(string(first), magic)
	found, wanted, _ := strings.Cut(line, " ")
	switch {
	case len(content) == 0:
		return file{}, errors.New("it is empty" + advice)
	case !isOurs:
		return file{}, errors.New("it is not a file of this store, or its beginning is lost" + advice)
	case found != format:
		return file{}, fmt.Errorf("it has format %.20q, and this version reads format %s: update the program", found, format)
	}
	head, data, _ := bytes.Cut(body, []byte("\n"))
	var h header
	if err := json.Unmarshal(head, &h); err != nil {
		h = header{}
	}
	f := file{key: tokenstore.Key{Issuer: h.Issuer, ClientID: h.ClientID, Account: h.Account}}
	if more || wanted != sum(body) || h.Version == "" {
		return f, errors.New("it is damaged or cut short" + advice)
	}
	f.version, f.data = h.Version, data
	return f, nil
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// contentVersion is the version of what cannot be decoded.
func contentVersion(content []byte) tokenstore.Version {
	return tokenstore.Version("unreadable-" + sum(content))
}
