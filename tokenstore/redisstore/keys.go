package redisstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/regrant/regrant/tokenstore"
)

// prefix has no braces: the hash tag of a key is the one of its group.
var prefix = regexp.MustCompile(`^[A-Za-z0-9.:_/-]{1,100}$`)

func (s *Store) prefix() string {
	if s.Prefix == "" {
		return "regrant:"
	}
	return s.Prefix
}

// groups is how many groups there are. It never changes: another number, and
// every grant that was ever kept is lost.
const groups = 64

// group returns the group of a key.
func group(key tokenstore.Key) int { return int(hash(key)[0]) % groups }

func hash(key tokenstore.Key) [sha256.Size]byte { return sha256.Sum256([]byte(key.String())) }

// record returns where the record of a key lies.
func (s *Store) record(key tokenstore.Key) string {
	sum := hash(key)
	return s.tag(group(key)) + hex.EncodeToString(sum[:])
}

// index returns where the members of a group lie: a sorted set.
func (s *Store) index(group int) string { return s.tag(group) + "index" }

// tag is what all keys of a group begin with. What is in braces alone decides
// which slot of a Cluster a key is in.
func (s *Store) tag(group int) string { return fmt.Sprintf("%s{%02x}", s.prefix(), group) }

// separator stands between the fields of a member. No field has it, as a control
// character, and no other byte comes before it in the order of members.
const separator = "\x00"

// member returns what stands for a key in the index: all of one issuer and one
// client lie together.
func member(key tokenstore.Key) (string, error) {
	m := strings.Join([]string{key.Issuer, key.ClientID, key.Account}, separator)
	if strings.Count(m, separator) != 2 {
		return "", errors.New("redisstore: a field of the key has a NUL byte: a Key has no control characters")
	}
	return m, nil
}

// parse reverses member.
func parse(member string) (tokenstore.Key, error) {
	fields := strings.Split(member, separator)
	if len(fields) != 3 {
		return tokenstore.Key{}, fmt.Errorf("redisstore: %w: an index has something that is no key of this store: choose another Prefix", tokenstore.ErrUnreadable)
	}
	return tokenstore.Key{Issuer: fields[0], ClientID: fields[1], Account: fields[2]}, nil
}

// span returns the limits of the members that can match, as ZRANGEBYLEX takes them.
func span(match tokenstore.Key) (first, last string) {
	switch {
	case match.Issuer == "":
		return "-", "+"
	case match.ClientID == "":
		return "[" + match.Issuer + separator, "(" + match.Issuer + "\x01"
	}
	both := match.Issuer + separator + match.ClientID
	return "[" + both + separator, "(" + both + "\x01"
}
