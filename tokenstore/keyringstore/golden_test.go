package keyringstore

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
)

// What version 1 has written: two files, and an entry of the keychain.
const (
	goldenAccount = "regrant-key-0542bc4dd53ae2898e982d38a60289f5"
	goldenSecret  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

	// The name of the key, which is no secret.
	goldenEntryName = "94900ba5d8e63d0164d5337ec3dd281c39e5b014c69f9999d1fa3af40bbac738.grant"
	goldenEntry     = "regrant-filestore 1 36f806bea7cd22f7740f50f2bd538ebb0f6a79621964bf4621b30259f31fd031\n" +
		`{"issuer":"regrant keyringstore","client_id":"key","account":"","version":"O27TLDCCZ6DZUSGR3WDLBUWZBQ"}` + "\n" +
		goldenAccount

	goldenRecordName = "bd564a956ac84762356dba9fe4d6df9995de0f7210a2cfb6b50ce5ad01528c31.grant"
	goldenRecord     = "regrant-filestore 1 60fb9bd813e907fb0852b06693aad41eeabfca64b87de42f0a5158abe5d08239\n" +
		`{"issuer":"https://issuer.example","client_id":"cli","account":"me","version":"QTCONDEAQIAQP225X65YDFZDXW"}` + "\n"
	goldenSealed = "cmVncmFudAHRy23CDnMX9njZfeebqgF97AGJAnQ17xjaOHNTKS9ppCr8dbqtHNVDOBWmCYZhQ+UelVGGIpe873crrzAZYZ04AhTYlyRXEGI="
)

// It fails if a name or a format changes: then what users have must go on being
// read.
func TestFieldCase_AzureAD_microsoft_authentication_library_for_go_423_TheEntryAndTheFilesOfAnEarlierVersionAreRead(t *testing.T) {
	f, dir := place(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	sealed, err := base64.StdEncoding.DecodeString(goldenSealed)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{goldenEntryName: goldenEntry, goldenRecordName: goldenRecord + string(sealed)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.entries = map[string]string{"my-cli:" + goldenAccount: goldenSecret}

	s := open(f, dir)
	holds(t, s, "me", "data")
	save(t, s, "me", "new", "QTCONDEAQIAQP225X65YDFZDXW")
	save(t, s, "you", "more", "")
	if name, _ := f.only(t); name != "my-cli:"+goldenAccount {
		t.Errorf("there is another entry, %q", name)
	}
	if made := accountOf([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f")); made != goldenAccount {
		t.Errorf("that key would lie under %q now", made)
	}
}
